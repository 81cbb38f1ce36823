"""The personal expressions of a letter: `{{ … }}` over a fixed set of fields, in Jinja2's sandbox.

What an author may write is a small, closed language: fields, texts, numbers, a few filters, comparisons
and `a if b else c`. Attributes, calls and everything else of Jinja2 are refused before anything is
evaluated, and evaluation happens in the sandbox all the same. A field a reader has no value for is the
empty text; `default` replaces it, so that no expression can fail for one reader and work for another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Template, nodes
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from newsletter.pieces import one_line

READER_FIELDS = ("first_name", "name", "language")
LINK_FIELDS = ("unsubscribe_url", "preferences_url")  # personal addresses of our own making
# What only mails to one person have: to confirm, to reach one's own page, and to the newest letter.
MAIL_LINKS = ("confirm_url", "page_url", "letter_url")
CONSTANT_FIELDS = ("archive_url", "newsletter_name")  # the same for all readers of a letter

FILTERS = ("default", "d", "upper", "lower", "capitalize", "title", "trim", "truncate", "length")
_NODES = (
    nodes.Name,
    nodes.Const,
    nodes.TemplateData,
    nodes.Filter,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Concat,
    nodes.Keyword,
)
MAX_LENGTH = 500
_SEPARATOR = "\x1f"  # never in a value: `one_line` takes it out


def _default(value: object, fallback: object = "", boolean: object = None) -> object:  # noqa: ARG001 - Jinja2's own third argument
    """*fallback* where the reader has no value; unlike Jinja2's own, an empty text is no value."""
    return value or fallback


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(autoescape=False)
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    environment.filters["default"] = environment.filters["d"] = _default
    environment.globals.clear()
    environment.tests.clear()
    return environment


_ENVIRONMENT = _environment()


class BadExpression(ValueError):
    """An expression outside the language; the text says what, `hint` what to write instead."""

    def __init__(self, what: str, hint: str) -> None:
        """Keep both."""
        super().__init__(what)
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A checked expression. `needs` are the fields it shows without a fallback."""

    source: str
    fields: frozenset[str]
    needs: frozenset[str]
    plain: tuple[str, str] | None  # (field, fallback) if it is no more than that


@lru_cache(maxsize=1024)  # letters use the same few, and each is compiled to try it out
def read_expression(source: str) -> Expression:
    """The expression in *source*, checked. Raises BadExpression."""
    source = " ".join(source.split())
    if not source or len(source) > MAX_LENGTH:
        raise BadExpression(
            "an empty expression" if not source else f"an expression of {len(source)} characters",
            "write e.g. {{ first_name | default('reader') }}",
        )
    try:
        template = _ENVIRONMENT.parse("{{ " + source + " }}")
    except TemplateError as err:
        raise BadExpression(
            f"cannot read {{{{ {source} }}}}: {err.message}", "write e.g. {{ first_name | default('reader') }}"
        ) from err
    body = template.body
    if len(body) != 1 or not isinstance(body[0], nodes.Output) or len(body[0].nodes) != 1:
        raise BadExpression(f"{{{{ {source} }}}} is not one expression", "write one field, with filters if need be")
    root = body[0].nodes[0]
    _refuse_foreign(root, source)
    fields = frozenset(
        name.name for name in [*root.find_all(nodes.Name), *([root] if isinstance(root, nodes.Name) else [])]
    )
    _try_out(template, source, fields)
    return Expression(source=source, fields=fields, needs=frozenset(_needs(root)), plain=_plain(root))


def _refuse_foreign(root: nodes.Node, source: str) -> None:
    for node in [root, *root.find_all(nodes.Node)]:
        if isinstance(node, nodes.Filter):
            if node.name not in FILTERS:
                raise BadExpression(
                    f"no filter {node.name!r} in {{{{ {source} }}}}", f"the filters are: {', '.join(sorted(FILTERS))}"
                )
            given = [*node.args, *(word.value for word in node.kwargs)]
            if node.name not in ("default", "d") and not all(isinstance(each, nodes.Const) for each in given):
                # An argument that differs from reader to reader could fail for one and not for another.
                raise BadExpression(f"{{{{ {source} }}}} hands a field to a filter", "filters take fixed values only")
            if node.dyn_args is not None or node.dyn_kwargs is not None:
                raise BadExpression(f"{{{{ {source} }}}} unpacks arguments", "write them out")
        elif isinstance(node, nodes.Const) and isinstance(node.value, str) and one_line(node.value) != node.value:
            raise BadExpression(f"{{{{ {source} }}}} makes a character that cannot be shown", "leave the escape out")
        elif not isinstance(node, _NODES):
            words = {"Getattr": "attributes", "Getitem": "subscripts", "Call": "calls", "Test": "tests"}
            used = words.get(type(node).__name__, "more than fields and texts")
            raise BadExpression(
                f"{{{{ {source} }}}} uses {used}, which letters do not have",
                'use a field and filters; for conditions write for="segment:…" on the block',
            )


def _needs(node: nodes.Node, guarded: frozenset[str] = frozenset()) -> Iterable[str]:
    """The fields whose absence would leave a gap: neither behind `default` nor asked about before."""
    match node:
        case nodes.Name():
            if node.name not in guarded:
                yield node.name
        case nodes.Filter(name="default" | "d"):
            for fallback in node.args:
                yield from _needs(fallback, guarded)
        case nodes.CondExpr():
            asked = guarded | {
                name.name for name in [*node.test.find_all(nodes.Name), node.test] if isinstance(name, nodes.Name)
            }
            yield from _needs(node.expr1, asked)
            if node.expr2 is not None:
                yield from _needs(node.expr2, guarded)
        case nodes.Compare() | nodes.Not():
            pass
        case nodes.Or():
            yield from _needs(node.right, guarded)
        case _:
            for child in node.iter_child_nodes():
                yield from _needs(child, guarded)


def _plain(node: nodes.Node) -> tuple[str, str] | None:
    if isinstance(node, nodes.Name):
        return node.name, ""
    if isinstance(node, nodes.Filter) and node.name in ("default", "d") and isinstance(node.node, nodes.Name):
        match node.args:
            case [nodes.Const(value=str(fallback))] if not node.kwargs:
                return node.node.name, fallback
    return None


class _EveryArm(NodeTransformer):
    """Makes of every choice the sum of what there is to choose from."""

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:  # noqa: N802 - Jinja2 calls it so
        arms = [arm for arm in (node.test, node.expr1, node.expr2) if arm is not None]
        return nodes.Concat([self.visit(arm) for arm in arms], lineno=node.lineno)

    def visit_And(self, node: nodes.And) -> nodes.Node:  # noqa: N802
        return nodes.Concat([self.visit(node.left), self.visit(node.right)], lineno=node.lineno)

    visit_Or = visit_And  # noqa: N815


def _try_out(template: nodes.Template, source: str, fields: frozenset[str]) -> None:
    """Evaluate every part once with and once without values, so that a wrong argument is found at the desk."""
    everything = _EveryArm().visit(template)
    code = _ENVIRONMENT.compile(everything)
    for sample in ("", "Wilhelmina"):
        try:
            Template.from_code(_ENVIRONMENT, code, {}).render(dict.fromkeys(fields, sample))
        except Exception as err:
            raise BadExpression(f"{{{{ {source} }}}} fails: {err}", "check the arguments of the filter") from err


def _given(fields: Mapping[str, str], name: str) -> str:
    """What a reader gave for a field, on one line; nothing but blanks is nothing."""
    return one_line(fields.get(name, "")).strip()


def evaluator(expressions: Iterable[Expression]) -> Callable[[Mapping[str, str]], dict[str, str]]:
    """A function from one reader's fields to the value of every expression, by its source.

    A plain field is a look-up; all others share one template, since making Jinja2's context costs more
    than the expressions in it.
    """
    plain = [(each.source, *each.plain) for each in expressions if each.plain]
    others = [each.source for each in expressions if not each.plain]
    if not others:
        return lambda fields: {source: _given(fields, field) or fallback for source, field, fallback in plain}
    template = _ENVIRONMENT.from_string(_SEPARATOR.join("{{ " + source + " }}" for source in others))
    names = sorted({name for each in expressions if not each.plain for name in each.fields})

    def evaluate(fields: Mapping[str, str]) -> dict[str, str]:
        values = {source: _given(fields, field) or fallback for source, field, fallback in plain}
        rendered = template.render({name: _given(fields, name) for name in names})
        values.update(zip(others, rendered.split(_SEPARATOR), strict=True))
        return values

    return evaluate
