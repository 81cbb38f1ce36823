"""Messages broken on purpose, each in one way: the proof that every check can fail."""

from __future__ import annotations

import quopri
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from tests.acceptance import rules_message as message
from tests.acceptance import rules_page as page
from tests.acceptance import rules_person as person
from tests.acceptance.mailing import Mail
from tests.acceptance.must_hold import AllCheck, OneCheck

Break = Callable[[Mail], Mail]
BreakAll = Callable[[Sequence[Mail]], Sequence[Mail]]


@dataclass(frozen=True, slots=True)
class Broken:
    """A check and what should make it object; `how` says it in a word."""

    check: OneCheck | AllCheck
    how: str
    by: Break | BreakAll


def raw(old: bytes, new: bytes) -> Break:
    """The first *old* in the bytes replaced."""

    def change(mail: Mail) -> Mail:
        assert old in mail.raw, old
        return replace(mail, raw=mail.raw.replace(old, new, 1))

    return change


def header(name: str, line: str) -> Break:
    """The field called *name* replaced by *line*, or taken out where that is empty."""

    def change(mail: Mail) -> Mail:
        head, gap, body = mail.raw.partition(b"\r\n\r\n")
        field = re.compile(rb"\r\n%s:[^\r]*(?:\r\n[ \t][^\r]*)*" % name.encode())
        assert field.search(b"\r\n" + head), name
        new = b"\r\n" + line.encode() if line else b""
        return replace(mail, raw=field.sub(lambda _: new, b"\r\n" + head, count=1)[2:] + gap + body)

    return change


def added(line: str) -> Break:
    """One more header."""
    return lambda mail: replace(mail, raw=line.encode() + b"\r\n" + mail.raw)


def html(old: str, new: str) -> Break:
    """The first *old* in the HTML replaced."""
    return _in_part(1, old, new)


def text(old: str, new: str) -> Break:
    """The first *old* in the text part replaced."""
    return _in_part(0, old, new)


def _in_part(index: int, old: str, new: str) -> Break:
    def change(mail: Mail) -> Mail:
        part = mail.whole.parts[index]
        assert old in part.text, f"{old!r} is not in the message that is to be broken"
        lines = quopri.encodestring(part.text.replace(old, new, 1).encode()).replace(b"\n", b"\r\n")
        return replace(mail, raw=mail.raw.replace(part.body, lines, 1))

    return change


def shuffled(mails: Sequence[Mail], change: Break) -> Sequence[Mail]:
    """The last one changed."""
    return [*mails[:-1], change(mails[-1])]


def last(change: Break) -> BreakAll:
    return lambda mails: shuffled(mails, change)


def _leave(uri: str) -> Break:
    return header(
        "List-Unsubscribe",
        f"List-Unsubscribe: <{uri}>,\r\n <mailto:leave@letters.example.org?subject=leave%20{'a' * 22}>",
    )


def _other_boundary(new: str) -> Break:
    return lambda mail: replace(mail, raw=mail.raw.replace(mail.whole.parameter("boundary").encode(), new.encode()))


def _other_head(key: str, value: str) -> Break:
    def change(mail: Mail) -> Mail:
        text = re.sub(rf"(?m)^{key}: .*$", lambda _: f"{key}: {value}", mail.letter.text, count=1)
        return replace(mail, letter=replace(mail.letter, text=text))

    return change


def _preheader(new: str) -> Break:
    return lambda mail: html(f'mso-hide:all">{mail.page.body[0].text}', f'mso-hide:all">{new}')(mail)


def _half_the_text(mail: Mail) -> Mail:
    return text(mail.text[1000:4000], "")(mail)


def _swapped(mail: Mail) -> Mail:
    """The text with its first heading at the end."""
    title = mail.letter.head["title"]
    return text(title, "")(replace(mail, raw=text("The Monday Letter\n1 Ex", f"{title}\n1 Ex")(mail).raw))


def _other_pictures(mails: Sequence[Mail]) -> Sequence[Mail]:
    return [html(BODY, f'<img src="{number}">{BODY}')(mail) for number, mail in enumerate(mails)]


def _with_anothers(what: Callable[[Mail], str]) -> BreakAll:
    return lambda mails: [*mails[:-1], text("Leave this letter", what(mails[0]))(mails[-1])]


LINK = '<a class="foot-link" href="'
BODY = '<div class="page ltr"'
IN_HEAD = "</head>"
LONG = "x" * 1000

BROKEN: tuple[Broken, ...] = (
    Broken(message.parses, "an open boundary", lambda mail: replace(mail, raw=mail.raw[:-40])),
    Broken(message.parses, "two signs @", header("To", "To: Zoe <zoe@@example.org>")),
    Broken(message.parses, "a bare LF", raw(b"the", b"t\nhe")),
    Broken(message.parses, "a NUL", raw(b"the", b"t\0he")),
    Broken(message.parses, "lower-case digits", raw(b"=E2=80", b"=e2=80")),
    Broken(message.lines_are_short, "1000 octets", raw(b"the", LONG.encode())),
    Broken(message.lines_are_short, "a subject on one line", header("Subject", "Subject: " + "word " * 20)),
    Broken(message.headers_stand_once, "two From", added("From: a@example.org")),
    Broken(message.headers_stand_once, "none", header("Message-ID", "")),
    Broken(message.headers_stand_once, "Bcc", added("Bcc: a@example.org")),
    Broken(message.headers_stand_once, "raw UTF-8", header("Subject", "Subject: Zoë")),
    Broken(message.headers_stand_once, "a bell", header("Subject", "Subject: \x07")),
    Broken(message.headers_stand_once, "two authors", header("From", "From: a@example.org, b@example.org")),
    Broken(message.date_is_the_claim, "no zone", header("Date", "Date: Mon, 23 Nov 2026 20:00:00")),
    Broken(message.date_is_the_claim, "another hour", header("Date", "Date: Mon, 23 Nov 2026 20:00:00 +0100")),
    Broken(message.date_is_the_claim, "another day", header("Date", "Date: Tue, 23 Nov 2026 20:00:00 +0000")),
    Broken(
        message.date_is_the_claim,
        "a claim at another time",
        lambda mail: replace(mail, claimed_at=mail.claimed_at + timedelta(hours=1)),
    ),
    Broken(message.message_id_is_ours, "a blank", header("Message-ID", "Message-ID: <a b@letters.example.org>")),
    Broken(message.message_id_is_ours, "another domain", header("Message-ID", "Message-ID: <1@example.org>")),
    Broken(message.message_id_is_ours, "a name", header("Message-ID", "Message-ID: <zoe@letters.example.org>")),
    Broken(message.message_ids_differ, "one twice", lambda mails: [*mails, mails[0]]),
    Broken(message.stays_the_same, "another byte", lambda mail: replace(mail, again=mail.raw[:-1])),
    Broken(message.encoded_words_are_right, "in Reply-To", header("Reply-To", "Reply-To: =?utf-8?b?eA==?= <a@b.c>")),
    Broken(message.encoded_words_are_right, "in quotes", header("To", 'To: "=?utf-8?b?eA==?=" <zoe@example.org>')),
    Broken(message.encoded_words_are_right, "too long", header("Subject", f"Subject: =?utf-8?q?{'x' * 80}?=")),
    Broken(message.encoded_words_are_right, "touching", header("Subject", "Subject: =?utf-8?q?x?==?utf-8?q?x?=")),
    Broken(message.encoded_words_are_right, "empty", header("Subject", "Subject: =?utf-8?q??=")),
    Broken(message.encoded_words_are_right, "half a letter", header("Subject", "Subject: =?utf-8?q?=C3?=")),
    Broken(message.subject_is_the_letters, "another", header("Subject", "Subject: Hello")),
    Broken(message.subject_is_the_letters, "a false answer", _other_head("subject", "'Re: you'")),
    Broken(message.to_is_the_recipient, "another name", header("To", "To: Zoe <zoe@example.org>")),
    Broken(message.to_is_the_recipient, "another address", header("To", "To: <ada@example.org>")),
    Broken(message.to_is_the_recipient, "an umlaut", header("To", "To: zoe@bücher.example")),
    Broken(
        message.leaving_is_offered, "no brackets", header("List-Unsubscribe", "List-Unsubscribe: https://a.example")
    ),
    Broken(message.leaving_is_offered, "http", _leave("http://letters.example.org/leave/x")),
    Broken(
        message.leaving_is_offered, "no mailbox", header("List-Unsubscribe", "List-Unsubscribe: <https://a.example>")
    ),
    Broken(
        message.one_click,
        "two clicks",
        header("List-Unsubscribe-Post", "List-Unsubscribe-Post: List-Unsubscribe=Two-Clicks"),
    ),
    Broken(message.leave_token_is_opaque, "short", _leave("https://letters.example.org/leave/abc")),
    Broken(message.leave_token_is_opaque, "the address", _leave("https://letters.example.org/leave/zoe%40example.org")),
    Broken(message.leave_token_is_opaque, "another's", _leave("https://letters.example.org/leave/" + "a" * 22)),
    Broken(
        message.leave_tokens_differ,
        "shared",
        lambda mails: [mails[0], header("List-Unsubscribe", f"List-Unsubscribe: <{mails[0].leave_url}>")(mails[1])],
    ),
    Broken(message.list_id_is_right, "no brackets", header("List-Id", "List-Id: monday")),
    Broken(
        message.list_id_is_right, "another list", header("List-Id", "List-Id: The Monday Letter <tuesday.example.org>")
    ),
    Broken(message.list_id_is_right, "another name", header("List-Id", "List-Id: Other <monday.letters.example.org>")),
    Broken(message.list_id_is_one, "two lists", last(header("List-Id", "List-Id: <other.example.org>"))),
    Broken(message.two_parts, "mixed", raw(b"multipart/alternative", b"multipart/mixed")),
    Broken(message.two_parts, "another kind", raw(b"text/plain", b"text/enriched")),
    Broken(message.two_parts, "another charset", raw(b"charset=utf-8", b"charset=us-ascii")),
    Broken(message.two_parts, "8bit", raw(b"quoted-printable", b"8bit")),
    Broken(message.two_parts, "version 2", header("MIME-Version", "MIME-Version: 2.0")),
    Broken(message.two_parts, "an encoded multipart", added("Content-Transfer-Encoding: base64")),
    Broken(message.two_parts, "a long boundary", _other_boundary("b" * 71)),
    Broken(message.two_parts, "a boundary in a part", _other_boundary("the")),
    Broken(message.boundaries_are_settled, "by chance", last(_other_boundary("chance"))),
    Broken(message.text_is_text, "not UTF-8", raw(b"=E2=80=94", b"=FF")),
    Broken(message.text_is_text, "a lost letter", text("the", "\ufffd")),
    Broken(message.text_is_text, "a C1 control", html("the", "\x85")),
    Broken(message.text_is_text, "no charset", html('<meta charset="utf-8">', "")),
    Broken(message.not_clipped, "500 KB", html("</body>", "x" * 500_000)),
    Broken(page.is_a_document, "lower case", html("<!DOCTYPE html>", "<!doctype html>")),
    Broken(page.is_a_document, "a stray end", html("</p>", "</p></section>")),
    Broken(page.says_its_language, "nonsense", html('lang="en"', 'lang="english"')),
    Broken(page.says_its_language, "another", html(f'{BODY} lang="en"', f'{BODY} lang="de"')),
    Broken(page.says_its_language, "backwards", html('dir="ltr"', 'dir="rtl"')),
    Broken(page.has_a_title, "none", html("<title>", "<title></title><title>")),
    Broken(page.tables_say_what_they_are, "no role", html(f"{BODY}", f"<table><tr><td></td></tr></table>{BODY}")),
    Broken(
        page.tables_say_what_they_are,
        "none for Outlook",
        html('<!--[if mso]><table role="presentation"', "<!--[if mso]><table"),
    ),
    Broken(page.pictures_are_sound, "no alt", html(BODY, f'<img src="https://a.example/" width="1">{BODY}')),
    Broken(page.pictures_are_sound, "http", html(BODY, f'<img src="http://a.example/" alt="a" width="9">{BODY}')),
    Broken(page.pictures_are_sound, "no width", html(BODY, f'<img src="https://a.example/" alt="a" width="9%">{BODY}')),
    Broken(page.pictures_are_sound, "SVG", html(BODY, f'<img src="https://a.example/a.svg" alt="a" width="9">{BODY}')),
    Broken(
        page.pictures_are_sound,
        "a link without words",
        html(BODY, f'<a href="https://a.example"><img src="https://a.example/a" alt="" width="9"></a>{BODY}'),
    ),
    Broken(page.pictures_are_sound, "drawn inside", html(BODY, f"<svg></svg>{BODY}")),
    Broken(page.links_lead_somewhere, "nowhere", html(LINK, '<a href="#nowhere">x</a>' + LINK)),
    Broken(page.links_lead_somewhere, "a blank", html(LINK, '<a href="https://a.example/a b">x</a>' + LINK)),
    Broken(page.links_lead_somewhere, "no words", html(LINK, '<a href="https://a.example/"> </a>' + LINK)),
    Broken(page.links_lead_somewhere, "empty words", html(LINK, '<a href="https://a.example/">Click here!</a>' + LINK)),
    Broken(page.links_lead_somewhere, "a number", html(LINK, '<a href="https://192.0.2.1/">home</a>' + LINK)),
    Broken(page.links_lead_somewhere, "shortened", html(LINK, '<a href="https://bit.ly/x">home</a>' + LINK)),
    Broken(page.headings_are_steps, "two first", html(BODY, f"<h1>x</h1>{BODY}")),
    Broken(page.headings_are_steps, "a step left out", html("</h1>", "</h1><h3>x</h3>")),
    Broken(page.styles_are_kept_small, "in the body", html(BODY, f"<style></style>{BODY}")),
    Broken(page.styles_are_kept_small, "large", html(IN_HEAD, f"<style>{'/* x */' * 2500}</style>{IN_HEAD}")),
    Broken(page.styles_are_kept_small, "linked", html(IN_HEAD, f'<link rel="stylesheet" href="x">{IN_HEAD}')),
    Broken(page.styles_are_kept_small, "imported", html(IN_HEAD, f"<style>@import 'x';</style>{IN_HEAD}")),
    Broken(
        page.styles_are_kept_small,
        "nested",
        html(IN_HEAD, f"<style>@media a {{ @media b {{ p {{ color: red }} }} }}</style>{IN_HEAD}"),
    ),
    Broken(page.styles_are_kept_small, "shouted", html(" !important", " !IMPORTANT")),
    Broken(page.styles_are_kept_small, "no blank", html(" !important", "!important")),
    Broken(page.kept_rules_are_whole, "another rule", html("padding-left: 22px", "padding-left: 23px")),
    Broken(page.kept_rules_are_whole, "a class less", html('class="masthead"', 'class=""')),
    Broken(page.kept_rules_are_whole, "an element more", html("</p>", "</p><hr>")),
    Broken(page.inline_styles_are_plain, "a variable", html('style="', 'style="color:var(--x);')),
    Broken(page.inline_styles_are_plain, "important", html('style="', 'style="color:red !important;')),
    Broken(page.inline_styles_are_plain, "a short colour", html('style="', 'style="color:#fff;')),
    Broken(page.dark_is_provided_for, "no meta", html('name="color-scheme"', 'name="colour-scheme"')),
    Broken(page.dark_is_provided_for, "no rules", html("prefers-color-scheme: dark", "prefers-color-scheme: light")),
    Broken(page.dark_is_provided_for, "weak", html("color: #aca7c4 !important", "color: #aca7c4")),
    Broken(
        page.dark_is_provided_for,
        "not for Outlook.com",
        lambda mail: html(mail.page.styles[-1], mail.page.styles[-1].replace("data-ogsb", "data-x"))(mail),
    ),
    Broken(page.outlook_comments_are_whole, "open", html("<![endif]-->", "-->")),
    Broken(page.outlook_comments_are_whole, "bare", html(BODY, f"<![if !mso]>{BODY}")),
    Broken(page.outlook_comments_are_whole, "closed twice", html("<!--[if mso]></td>", "<!--[if mso]></td></td>")),
    Broken(
        page.outlook_comments_are_whole, "left open", html("<!--[if mso]></td></tr></table>", "<!--[if mso]></td></tr>")
    ),
    Broken(
        page.outlook_links_are_the_same,
        "astray",
        html(BODY, f'<!--[if mso]><v:rect href="https://a.example/"></v:rect><![endif]-->{BODY}'),
    ),
    Broken(page.nothing_runs, "a script", html(BODY, f"<script></script>{BODY}")),
    Broken(page.nothing_runs, "away", html(IN_HEAD, f'<meta http-equiv="refresh" content="0">{IN_HEAD}')),
    Broken(page.nothing_runs, "on click", html(BODY, f'<p onclick="x"></p>{BODY}')),
    Broken(page.nothing_runs, "javascript", html(LINK, '<a href="javascript:x">x</a>' + LINK)),
    Broken(page.attributes_are_measures, "with a unit", html('width="100%"', 'width="100px"')),
    Broken(page.attributes_are_measures, "a short colour", html('bgcolor="#', 'bgcolor="#F')),
    Broken(page.preheader_is_first, "another", html('mso-hide:all">', 'mso-hide:all">More: ')),
    Broken(page.preheader_is_first, "short", _preheader("Hello.")),
    Broken(
        page.preheader_is_first, "the subject", lambda mail: _preheader(mail.filled(mail.letter.head["subject"]))(mail)
    ),
    Broken(page.preheader_is_first, "seen", html("mso-hide:all", "")),
    Broken(page.preheader_is_first, "a trick", html("mso-hide:all", "mso-hide:all; color:#ffffff")),
    Broken(page.preheader_is_first, "more", html(BODY, f'<p style="font-size:0">psst</p>{BODY}')),
    Broken(
        page.preheader_is_first, "more, cut off", html(BODY, f'<p style="overflow:hidden;max-height:0">psst</p>{BODY}')
    ),
    Broken(page.preheader_is_first, "text before", html('<div class="preheader"', 'first <div class="preheader"')),
    Broken(person.nothing_is_left_over, "braces", text("the", "{{ name }}")),
    Broken(person.nothing_is_left_over, "a mark", html("the", "zq0123456789abcdefH1Hqz")),
    Broken(person.nothing_is_left_over, "in a header", header("Subject", "Subject: {{ name }}")),
    Broken(person.own_words_are_literal, "in HTML", html("Zoë", "Zoe")),
    Broken(person.own_words_are_literal, "in the text", text("Zoë", "Zoe")),
    Broken(person.nobody_changes_the_page, "an element", last(html("</p>", "</p><b>x</b>"))),
    Broken(person.nobody_changes_the_page, "an attribute", last(html("<p ", '<p id="x" '))),
    Broken(person.nobody_changes_the_page, "a header", last(added("Bcc: x@example.org"))),
    Broken(person.nobody_changes_the_page, "a picture", _other_pictures),
    Broken(person.nothing_of_anybody_else, "a token", _with_anothers(lambda mail: mail.leave_url)),
    Broken(person.nothing_of_anybody_else, "an address", _with_anothers(lambda mail: mail.person.address)),
    Broken(person.text_says_the_same, "half of it", _half_the_text),
    Broken(person.text_says_the_same, "another order", _swapped),
    Broken(person.text_has_the_links, "one less", html(LINK, '<a href="https://a.example/">x</a>' + LINK)),
    Broken(person.text_is_plain, "a tag", text("the", "<b>the</b>")),
    Broken(person.text_is_plain, "an entity", text("the", "&nbsp;")),
    Broken(person.text_is_plain, "zero width", text("the", "\u200b")),
    Broken(person.text_is_plain, "a long line", text("the", "the " * 30)),
    Broken(person.law_is_kept, "no way to leave", lambda mail: html(mail.leave_url, "https://a.example/")(mail)),
    Broken(person.law_is_kept, "none in the text", lambda mail: text(mail.leave_url, "https://a.example/")(mail)),
    Broken(person.law_is_kept, "no web version", lambda mail: text(f"{mail.letter.web_version}\n\n", "")(mail)),
    Broken(person.law_is_kept, "no reason", html("because you asked", "though you asked")),
    Broken(person.law_is_kept, "no address", text("1 Example Street", "")),
    Broken(person.nothing_tracks, "a pixel", html(BODY, f'<img src="https://a.example/" width="1">{BODY}')),
    Broken(
        person.nothing_tracks,
        "a token in a picture",
        lambda mail: html(BODY, f'<img src="https://a.example/{mail.person.leave_token}">{BODY}')(mail),
    ),
    Broken(
        person.nothing_tracks, "a style that fetches", html('style="', "style=\"background:url('https://a.example/');")
    ),
)
