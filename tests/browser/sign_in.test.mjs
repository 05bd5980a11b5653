// A person lets an AI tool in: the login, the page that asks, and the way back to the tool, wherever that is.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { launch, logIn, PHONE, settled, shot, WIDE } from "./support/browser.mjs";
import { knock } from "./support/mcp.mjs";
import { callbackServer, navigations, Tool } from "./support/tool.mjs";
import { Odoo } from "./support/odoo.mjs";
import { stack, until } from "./support/stack.mjs";

const LOGIN = "browser_sign_in";
const ARABIC = "browser_sign_in_arabic";
const NAME = "Browser: Cursor";
const PRIVATE = "cursor://anysphere.cursor-mcp/oauth/callback";
const HOP = "claude://callback/done";
const GROUPS = ["base.group_user", "mcp_sidecar.group_user"];
let browser, odoo, tool, loopback, web, page;

async function forget() {
    await odoo.remove("mcp.connection", [["user_id.login", "in", [LOGIN, ARABIC]]]);
    await odoo.remove("mcp.oauth.client", [["name", "=", NAME]]);
    await odoo.remove("res.users", [["login", "in", [LOGIN, ARABIC]]]);
}

before(async () => {
    odoo = await Odoo.administrator();
    await forget();
    await odoo.person(LOGIN, GROUPS);
    const [arabic] = await odoo.search("res.lang", [["code", "=", "ar_001"]]);
    await odoo.call("res.lang", "write", [[arabic], { active: true }]);
    const user = await odoo.person(ARABIC, GROUPS);
    await odoo.call("res.users", "write", [[user], { lang: "ar_001" }]);
    loopback = await callbackServer(false, (_request, response) => response.end("You can close this window."));
    // As claude.ai does: its own https address sends the browser on to its program.
    web = await callbackServer(true, (request, response) => {
        response.writeHead(302, { Location: `${HOP}${request.url.slice(request.url.indexOf("?"))}` }).end();
    });
    tool = await Tool.register(NAME, [
        "http://127.0.0.1/callback",
        PRIVATE,
        "https://client.example/callback",
    ]);
    browser = await launch(`--host-resolver-rules=MAP client.example:443 127.0.0.1:${web.port}`);
});
after(async () => {
    await browser?.close();
    loopback?.close();
    web?.close();
    await forget();
});
afterEach(async () => {
    await page?.context().close();
});

/** Opens the page that asks, as somebody who is logged in. */
async function ask(redirectUri, login = LOGIN, options = {}) {
    page = await logIn(browser, login, login, options.viewport ?? WIDE, options);
    await page.goto(tool.authorize(redirectUri));
    await page.locator("button[name=decision][value=allow]").waitFor();
    await settled(page);
}

async function fits(what) {
    const [content, window] = await page.evaluate(() => [document.body.scrollWidth, document.body.clientWidth]);
    assert.ok(content <= window, `${what} is ${content} wide in a window of ${window}`);
}

const allow = () => page.locator("button[name=decision][value=allow]").click();

test("a login in between comes back to the page, and a loopback address gets the code", async () => {
    const context = await browser.newContext({ viewport: WIDE });
    page = await context.newPage();
    page.faults = [];
    page.on("console", (message) => message.type() === "error" && page.faults.push(message.text()));
    await page.goto(tool.authorize(`http://127.0.0.1:${loopback.port}/callback`));
    await page.locator("input[name=login]").fill(LOGIN);
    await page.locator("input[name=password]").fill(LOGIN);
    await shot(page, "sign-in-login");
    await page.locator("button[type=submit]").first().click();
    await page.locator("button[name=decision][value=allow]").waitFor();
    await shot(page, "sign-in-wide");
    await fits("the page");
    await allow();
    await until(() => loopback.seen.length, "the tool gets its callback");
    const token = await tool.exchange(`http://127.0.0.1${loopback.seen.at(-1)}`);
    assert.equal(await knock(token), 200);
    assert.deepEqual(page.faults, [], "the page complains");
});

test("a private scheme is opened by a page that has a link, too", async () => {
    await ask(PRIVATE);
    await shot(page, "sign-in-private-scheme");
    const asked = await navigations(page);
    await allow();
    const target = await until(() => asked.find((url) => url.startsWith(PRIVATE)), "the program is opened");
    assert.ok(page.url().includes("/oauth/resume"), `the browser stays at ${page.url()}`);
    const link = page.locator(`a[href^="${PRIVATE}"]`);
    assert.equal(await link.getAttribute("href"), target);
    await shot(page, "sign-in-return");
    await fits("the last page");
    assert.equal(await knock(await tool.exchange(target)), 200);
    assert.deepEqual(page.faults.filter((text) => /Content.Security.Policy|form-action/.test(text)), []);
});

test("an https address that hops to a private scheme", async () => {
    await ask("https://client.example/callback", LOGIN, { ignoreHTTPSErrors: true });
    await shot(page, "sign-in-https");
    const asked = await navigations(page);
    await allow();
    await until(() => web.seen.length, "the tool's web server gets its callback");
    await until(() => asked.some((url) => url.startsWith(HOP)), "and sends the browser on to its program");
    assert.equal(await knock(await tool.exchange(`https://client.example${web.seen.at(-1)}`)), 200);
    assert.deepEqual(page.faults.filter((text) => /Content.Security.Policy|form-action/.test(text)), []);
});

test("a second click has the same outcome", async () => {
    await ask(PRIVATE);
    const asked = await navigations(page);
    await page.locator("button[name=decision][value=allow]").dblclick();
    const target = await until(() => asked.findLast((url) => url.startsWith(PRIVATE)), "the program is opened");
    assert.equal(await knock(await tool.exchange(target)), 200);
    await page.goBack();
    assert.ok((await page.innerText("body")).trim(), "going back shows a page");
    await shot(page, "sign-in-again");
});

test("denying goes back with an error", async () => {
    await ask(PRIVATE);
    const asked = await navigations(page);
    await page.locator("button[name=decision][value=deny]").click();
    const target = await until(() => asked.find((url) => url.startsWith(PRIVATE)), "the program is opened");
    assert.equal(new URL(target).searchParams.get("error"), "access_denied");
    await shot(page, "sign-in-denied");
});

test("on a phone, without scripts", async () => {
    page = await logIn(browser, LOGIN, LOGIN, PHONE, { javaScriptEnabled: false });
    await page.goto(tool.authorize(PRIVATE));
    await page.locator("button[name=decision][value=allow]").waitFor();
    await page.screenshot({ path: `${process.env.BROWSER_SCREENSHOTS}/sign-in-phone.png`, fullPage: true });
    const asked = await navigations(page);
    await allow();
    const target = await until(() => asked.find((url) => url.startsWith(PRIVATE)), "the program is opened");
    assert.equal(await knock(await tool.exchange(target)), 200);
});

test("from right to left, and where the browser forces dark colours", async () => {
    await ask(PRIVATE, ARABIC);
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).direction), "rtl");
    await shot(page, "sign-in-arabic");
    await fits("the page");
    await page.context().close();
    await ask(PRIVATE, LOGIN, { colorScheme: "dark", viewport: PHONE });
    await shot(page, "sign-in-dark");
    await fits("the page");
});

test("a page of a foreign frame is not shown", async () => {
    await ask(PRIVATE);
    const address = page.url();
    await page.goto(`${stack.mcp_url.replace("/odoo/mcp", "")}/.well-known/oauth-authorization-server`);
    await page.setContent(`<iframe src="${address}"></iframe>`);
    await page.waitForTimeout(1000);
    const [, frame] = page.frames();
    assert.equal(await frame.locator("button[name=decision]").count(), 0, "the page is framed");
});

test("an unknown client gets a page that says what to do", async () => {
    page = await (await browser.newContext({ viewport: WIDE })).newPage();
    const address = new URL(tool.authorize(PRIVATE));
    address.searchParams.set("client_id", "mcp_client_0000000000000000000000");
    await page.goto(address.href);
    await shot(page, "sign-in-unknown-client");
    await fits("the page");
    assert.match(await page.innerText("body"), /again/i);
});
