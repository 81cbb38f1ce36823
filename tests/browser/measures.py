"""What can only be measured on a page that is laid out; every measure gives back what it objects to."""

from __future__ import annotations

from tests.browser.chromium import Chromium

# Every text that is painted, with its element; one that nobody sees is no text.
_TEXTS = """
const texts = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode, element = node.parentElement, range = document.createRange();
  range.selectNodeContents(node);
  if (node.data.trim() && element.checkVisibility({visibilityProperty: true}) && range.getClientRects().length)
    texts.push([node.data.trim().slice(0, 40), element]);
}
for (const picture of document.querySelectorAll('img[alt]'))
  if (picture.alt.trim() && picture.checkVisibility()) texts.push([picture.alt.slice(0, 40), picture]);
"""

_SMALL = f"""() => {{ {_TEXTS}
return texts.filter(([, element]) => parseFloat(getComputedStyle(element).fontSize) < 14)
  .map(([text, element]) => `${{getComputedStyle(element).fontSize}}: ${{text}}`);
}}"""

# https://www.w3.org/TR/WCAG22/#contrast-minimum; large is 24 px, or 18.66 px and bold.
_FAINT = f"""() => {{ {_TEXTS}
const rgba = colour => {{
  const parts = colour.match(/[\\d.]+/g).map(Number);
  if (!/^rgba?\\(/.test(colour)) throw new Error(`cannot read ${{colour}}`);
  return parts.length < 4 ? [...parts, 1] : parts;
}};
const over = (front, back) => [0, 1, 2].map(n => front[n] * front[3] + back[n] * (1 - front[3])).concat(1);
const canvas = matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
const behind = element => {{
  const layers = [];
  for (let each = element; each; each = each.parentElement) {{
    const style = getComputedStyle(each);
    if (style.backgroundImage !== 'none') throw new Error('a picture behind text');
    layers.unshift(rgba(style.backgroundColor));
  }}
  return layers.reduce((back, front) => over(front, back), canvas);
}};
const light = colour => {{
  const linear = n => n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4;
  const [r, g, b] = colour.slice(0, 3).map(n => linear(n / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}};
const opacityOf = each => each ? getComputedStyle(each).opacity * opacityOf(each.parentElement) : 1;
return texts.map(([text, element]) => {{
  const style = getComputedStyle(element), back = behind(element);
  const front = rgba(style.color); front[3] *= opacityOf(element);
  const [dim, bright] = [light(over(front, back)), light(back)].sort((a, b) => a - b);
  const size = parseFloat(style.fontSize), wanted = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
  const ratio = (bright + 0.05) / (dim + 0.05);
  return ratio < wanted ? `${{ratio.toFixed(2)}} of ${{wanted}}: ${{text}}` : '';
}}).filter(Boolean);
}}"""

# https://www.w3.org/TR/WCAG22/#target-size-minimum: 24 by 24, or far enough from others, or in a sentence.
_CROWDED = """() => {
const links = [...document.querySelectorAll('a[href]')].filter(link => link.checkVisibility());
const boxes = link => [...link.getClientRects()].filter(box => box.width && box.height);
const inSentence = link => getComputedStyle(link).display === 'inline' &&
  [...link.parentElement.childNodes].some(node => node.nodeType === 3 && node.data.trim());
const centre = box => [box.x + box.width / 2, box.y + box.height / 2];
const reaches = ([x, y], box) => Math.hypot(x - Math.max(box.left, Math.min(x, box.right)),
                                            y - Math.max(box.top, Math.min(y, box.bottom))) < 12;
return links.filter(link => !inSentence(link)).flatMap(link => boxes(link)
  .filter(box => box.width < 24 || box.height < 24)
  .filter(box => links.some(other => other !== link && boxes(other).some(near => reaches(centre(box), near))))
  .map(box => `${Math.round(box.width)} by ${Math.round(box.height)}: ${link.textContent.trim()}`));
}"""

_WIDE = """() => {
const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth <= width) return [];
const end = each => Math.round(each.getBoundingClientRect().right);
return [...document.querySelectorAll('body *')].filter(each => end(each) > width)
  .map(each => `<${each.tagName.toLowerCase()}> reaches ${end(each)}: ${each.textContent.trim().slice(0, 40)}`)
  .concat(`${document.documentElement.scrollWidth} of ${width}`);
}"""

_PROPERTIES = "() => [...getComputedStyle(document.body)]"


def small_texts(browser: Chromium) -> list[str]:
    """Texts below 14 pixels."""
    return list(browser.run(_SMALL))


def faint_texts(browser: Chromium) -> list[str]:
    """Texts that do not stand out: below 4.5 to 1, or 3 to 1 where they are large."""
    return list(browser.run(_FAINT))


def crowded_links(browser: Chromium) -> list[str]:
    """Links that a finger would miss."""
    return list(browser.run(_CROWDED))


def wide_parts(browser: Chromium) -> list[str]:
    """What makes the page scroll sideways."""
    return list(browser.run(_WIDE))


Styles = list[tuple[str, dict[str, str]]]


def styles(browser: Chromium) -> Styles:
    """Every element that is shown and how it is styled in the end: every property the browser knows."""
    # A script that asks element by element takes four times as long.
    properties = browser.run(_PROPERTIES)
    shot = browser.call("DOMSnapshot.captureSnapshot", computedStyles=properties)
    strings, page = shot["strings"], shot["documents"][0]
    names, attributes = page["nodes"]["nodeName"], page["nodes"]["attributes"]
    found: Styles = []
    for node, values in zip(page["layout"]["nodeIndex"], page["layout"]["styles"], strict=True):
        if not strings[names[node]].startswith("#"):  # a text has the style of its element
            pairs = [strings[each] for each in attributes[node]]
            classes = dict(zip(pairs[::2], pairs[1::2], strict=True)).get("class", "")
            name = f"{strings[names[node]].lower()}.{classes}"
            found.append((name, dict(zip(properties, (strings[each] for each in values), strict=True))))
    return found


def differences(one: Styles, other: Styles) -> list[str]:
    """Where two pages of the same elements look different, with the properties."""
    told: list[str] = [] if len(one) == len(other) else [f"{len(one)} elements and {len(other)}"]
    for (name, values), (_, others) in zip(one, other, strict=False):
        if values != others:
            apart = [f"{each}:{values[each]} / {others[each]}" for each in values if values[each] != others[each]]
            told.append(f"{name}: " + "; ".join(apart)[:300])
    return told
