"""A browser without pictures: cookies, forms and redirects, and everything that it was answered."""

from __future__ import annotations

import functools
import http.client
import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import Cookie, CookieJar
from typing import Any

REDIRECTS = (301, 302, 303, 307, 308)
HOPS = 10


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    url: str
    status: int
    headers: http.client.HTTPMessage
    text: str = field(repr=False)

    def __getitem__(self, name: str) -> str:
        """A header; empty where it is absent."""
        return ", ".join(self.headers.get_all(name) or [])

    @property
    def json(self) -> Any:
        """The body, which has to be marked as JSON."""
        assert self["Content-Type"].split(";")[0] == "application/json", f"{self.url} answers {self['Content-Type']}"
        return json.loads(self.text)

    @property
    def location(self) -> str | None:
        """Where a redirect leads, as an absolute address."""
        if self.status not in REDIRECTS:
            return None
        return urllib.parse.urljoin(self.url, self["Location"])

    @property
    def page(self) -> Page:
        """The body, which has to be HTML."""
        assert self["Content-Type"].startswith("text/html"), f"{self.url} answers {self['Content-Type']}"
        return Page(self.url, self.text)


@dataclass
class Form:
    """A form: where it goes, the values it holds, and the buttons that send it."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Page(HTMLParser):
    """What a person can do on a page: forms, links, and where it goes by itself."""

    def __init__(self, url: str, text: str) -> None:
        super().__init__()
        self.url = url
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.refresh: str | None = None
        self.words = ""
        self._form: Form | None = None
        self._muted = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self._muted += tag in ("script", "style")
        match tag:
            case "a" if "href" in found:
                self.links.append(self._absolute(found["href"]))
            case "meta" if found.get("http-equiv", "").lower() == "refresh":
                self.refresh = self._refresh_target(found.get("content", ""))
            case "form":
                action = self._absolute(found.get("action") or self.url)
                self._form = Form(action, found.get("method", "get").lower())
                self.forms.append(self._form)
            case "input" | "button" if self._form:
                self._control(self._form, tag, found)

    def handle_endtag(self, tag: str) -> None:
        self._muted -= tag in ("script", "style")
        if tag == "form":
            self._form = None

    def handle_data(self, data: str) -> None:
        if not self._muted:
            self.words += f" {data.strip()}" if data.strip() else ""

    def form(self, *names: str) -> Form:
        """The form that has all these controls."""
        for form in self.forms:
            known = {*form.fields, *form.choices, *(name for name, _value in form.buttons)}
            if known.issuperset(names):
                return form
        raise AssertionError(f"{self.url} has no form with {names}: {self.words[:500]}")

    def _absolute(self, address: str) -> str:
        return urllib.parse.urljoin(self.url, address)

    def _refresh_target(self, content: str) -> str | None:
        _seconds, _, target = content.partition(";")
        name, _, address = target.strip().partition("=")
        return self._absolute(address.strip("'\"")) if name.strip().lower() == "url" else None

    @staticmethod
    def _control(form: Form, tag: str, found: dict[str, str]) -> None:
        name, value = found.get("name"), found.get("value", "")
        kind = found.get("type", "submit" if tag == "button" else "text").lower()
        if not name:
            return
        if kind == "submit":
            form.buttons.append((name, value))
        elif kind in ("radio", "checkbox"):
            form.choices.setdefault(name, []).append(value)
            if "checked" in found:
                form.fields[name] = value
        else:
            form.fields[name] = value


def some_address() -> str:
    """One of the many addresses of this machine: who sends from one of its own has a budget of its own."""
    return f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.{random.randint(2, 254)}"


class _From(urllib.request.HTTPHandler):
    """Connections to loopback come from this address of it."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self._source = source

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        own = {"source_address": (self._source, 0)} if request.host.startswith("127.") else {}
        return self.do_open(functools.partial(http.client.HTTPConnection, **own), request)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are answers; the browser decides whether it follows."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


class Browser:
    """One person's browser. `route` may send an address elsewhere, as a load balancer does."""

    def __init__(self, route: Callable[[str], str] = lambda url: url) -> None:
        self.cookies = CookieJar()
        self.route = route
        self.history: list[Answer] = []
        self._opener = _opener(some_address(), urllib.request.HTTPCookieProcessor(self.cookies))

    def send(
        self, url: str, fields: dict[str, str] | None = None, headers: dict[str, str] | None = None, timeout: float = 60
    ) -> Answer:
        """One request: POST with form fields, GET without."""
        url = self.route(url)
        data = None if fields is None else urllib.parse.urlencode(fields).encode()
        accept = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", **(headers or {})}
        answer = patiently(lambda: fetch(url, data, accept, opener=self._opener, timeout=timeout))
        self.history.append(answer)
        return answer

    def follow(self, answer: Answer, until: Callable[[str], bool]) -> Answer | str:
        """Go where redirects and refreshing pages lead; a place that `until` holds for is answered and not visited."""
        for _hop in range(HOPS):
            target = answer.location
            if target is None and answer["Content-Type"].startswith("text/html"):
                target = answer.page.refresh
            if target is None:
                return answer
            if until(target):
                return target
            answer = self.send(target)
        raise AssertionError(f"more than {HOPS} redirects, the last to {answer.url}")

    def submit(self, form: Form, **fields: str) -> Answer:
        """Send a form as it stands, with these values in place of its own."""
        assert form.method == "post", f"the form goes by {form.method}"
        return self.send(form.action, {**form.fields, **fields})

    def log_in(self, odoo_url: str, login: str, password: str) -> None:
        """Odoo's own login page, with its token against forged requests."""
        form = self.send(f"{odoo_url}/web/login").page.form("csrf_token", "login", "password")
        answer = self.submit(form, login=login, password=password)
        assert answer.location, f"{login} can't log in: {answer.page.words[:300]}"

    def cookie(self, name: str) -> Cookie | None:
        """One cookie of any site."""
        return next((cookie for cookie in self.cookies if cookie.name == name), None)

    def steal(self, other: Browser, name: str) -> None:
        """Take a cookie out of another browser."""
        cookie = other.cookie(name)
        assert cookie, f"the other browser has no cookie {name}"
        self.cookies.set_cookie(cookie)


def _opener(source: str | None, *handlers: urllib.request.BaseHandler) -> urllib.request.OpenerDirector:
    # No proxy of the machine comes between.
    own = [_From(source)] if source else []
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay(), *own, *handlers)


def patiently(send: Callable[[], Answer]) -> Answer:
    """Once more when the server says, where the budget of all callers together is used up."""
    for _attempt in range(5):
        answer = send()
        if answer.status != 429:
            break
        time.sleep(int(answer["Retry-After"]))
    return answer


def fetch(
    url: str,
    data: bytes | None = None,
    headers: dict[str, str] | None = None,
    method: str | None = None,
    opener: urllib.request.OpenerDirector | None = None,
    timeout: float = 60,
    source: str | None = None,
) -> Answer:
    """One request of any kind, whose redirects are not followed."""
    opener = opener or _opener(source)
    request = urllib.request.Request(url, data, headers or {}, method=method)
    try:
        found = opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        found = error
    with found:
        return Answer(url, found.status, found.headers, found.read().decode("utf-8", "replace"))
