"""The fonts that letters are shown in here: Liberation and no other, so that every machine shows them alike."""

from __future__ import annotations

from pathlib import Path

# A font asked for -> the one of the same widths that stands in for it; whatever is not named here falls through.
_STAND_IN = {
    "Arial": "Liberation Sans",
    "Helvetica": "Liberation Sans",
    "Helvetica Neue": "Liberation Sans",
    "Georgia": "Liberation Serif",
    "Times New Roman": "Liberation Serif",
    "Courier New": "Liberation Mono",
    "sans-serif": "Liberation Sans",
    "serif": "Liberation Serif",
    "monospace": "Liberation Mono",
}
_CONFIGURATION = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
<dir>{fonts}</dir>
<cachedir>{cache}</cachedir>
{stand_ins}
<match target="font">
<edit name="antialias" mode="assign"><bool>true</bool></edit>
<edit name="hinting" mode="assign"><bool>false</bool></edit>
<edit name="rgba" mode="assign"><const>none</const></edit>
</match>
</fontconfig>
"""


def liberation() -> Path | None:
    """The folder of the Liberation fonts, or None where they are not installed."""
    roots = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts")]
    found = (path for root in roots for path in sorted(root.rglob("LiberationSans-Regular.*")))
    return next((path.parent for path in found), None)


def write_configuration(folder: Path, fonts: Path) -> Path:
    """A file for FONTCONFIG_FILE, in *folder*, by which there are only the fonts of the folder *fonts*."""
    stand_ins = "\n".join(
        f'<alias binding="same"><family>{asked}</family><prefer><family>{given}</family></prefer></alias>'
        for asked, given in _STAND_IN.items()
    )
    file = folder / "fonts.conf"
    file.write_text(_CONFIGURATION.format(fonts=fonts, cache=folder / "cache", stand_ins=stand_ins))
    return file
