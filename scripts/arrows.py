"""An import-linter contract: which room of the house may import which, as a table in pyproject.toml.

Layers alone allow any arrow that points down; our plan allows only the ones it draws.
A room that does not exist yet draws no arrow; a room without a line in the table breaks the contract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from importlinter import Contract, ContractCheck, fields, output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from grimp import ImportGraph

ANYONE = "*"


class ArrowsContract(Contract):
    """Kept when every direct import between two rooms stands in the table."""

    type_name = "arrows"

    package = fields.StringField()
    arrows = fields.ListField(subfield=fields.StringField())  # "room -> room room", "room -> *", "room ->"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001  their signature
        """The imports that are on no line of the table, as sentences."""
        table = dict(_line(str(text)) for text in self.arrows)  # type: ignore[attr-defined]  # fields become values
        wrong = sorted(set(_unplanned(graph, str(self.package), table)))
        return ContractCheck(kept=not wrong, metadata={"wrong": wrong})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Prints the sentences."""
        for sentence in check.metadata["wrong"]:
            output.print_error(sentence)


def _line(text: str) -> tuple[str, frozenset[str]]:
    room, arrow, others = text.partition("->")
    if not arrow:
        message = f"an arrow looks like 'store -> audience delivery', not {text!r}"
        raise ValueError(message)
    return room.strip(), frozenset(others.split())


def _unplanned(graph: ImportGraph, package: str, table: Mapping[str, frozenset[str]]) -> Iterator[str]:
    def room_of(module: str) -> str:
        return [*module.split("."), "__init__"][1]  # newsletter.store.db -> store

    ours = [module for module in graph.modules if module.split(".")[0] == package]
    for module in ours:
        room = room_of(module)
        if room not in table:
            yield f"{package}.{room} has no line in the table of arrows"
            continue
        for imported in graph.find_modules_directly_imported_by(module):
            target = room_of(imported)
            if imported.split(".")[0] != package or target == "__init__":
                continue  # the package itself holds only its version, which anyone may say
            if target not in table[room] | {room} and ANYONE not in table[room]:
                yield f"{module} may not import {imported}: {room} -> {target} is not in the table"
