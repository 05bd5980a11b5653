// The way back from the page of consent, where browsers differ from what one expects: redirects after a form, private
// schemes, clicks that come twice, no scripts, foreign frames.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { launch, logIn, PHONE, settled, shot, WIDE } from "./support/browser.mjs";
import { knock } from "./support/mcp.mjs";
import { AiTool } from "./support/oauth.mjs";
import { Odoo } from "./support/odoo.mjs";
import { stack, until } from "./support/stack.mjs";
import { navigations, webServer } from "./support/targets.mjs";

const LOGIN = "browser_sign_in";
const NAME = "Browser: sign in";
const WEB = "https://client.example/callback";
const PRIVATE = "cursor://anysphere.cursor-mcp/oauth/callback";
const HOP = "claude://callback/done";
let browser, odoo, web, page;

async function cleanUp() {
    await odoo.remove("mcp.connection", [["user_id.login", "=", LOGIN]]);
    await odoo.remove("mcp.oauth.client", [["name", "=", NAME]]);
    await odoo.remove("res.users", [["login", "=", LOGIN]]);
}

before(async () => {
    odoo = await Odoo.administrator();
    await cleanUp();
    await odoo.person(LOGIN, ["base.group_user", "mcp_sidecar.group_user"]);
    // As claude.ai does: its own https address sends the browser on to its program.
    web = await webServer((request, response) => {
        response.writeHead(302, { Location: `${HOP}${request.url.slice(request.url.indexOf("?"))}` }).end();
    });
    browser = await launch(`--host-resolver-rules=MAP client.example:443 127.0.0.1:${web.port}`);
});
after(async () => {
    await browser?.close();
    web?.close();
    await cleanUp();
});
afterEach(async () => {
    const faults = page.faults?.filter((text) => /Content.Security.Policy|form-action/i.test(text)) ?? [];
    assert.deepEqual(faults, [], "a policy is in the way");
    await page.context().close();
});

/** A tool with this address asks a user who is logged in; gives the tool. */
async function ask(redirectUri, viewport = WIDE, options = {}) {
    const tool = await AiTool.register(NAME, redirectUri);
    page = await logIn(browser, LOGIN, LOGIN, viewport, options);
    await page.goto(tool.authorizeUrl());
    await button("allow").waitFor();
    return tool;
}

const button = (decision) => page.locator(`button[name=decision][value=${decision}]`);
const opened = (asked, address) => until(() => asked.findLast((url) => url.startsWith(address)), `${address} is opened`);

/** What the tool gets for the address that it was opened with lets it in. */
async function gets_in(tool, address) {
    const { searchParams } = new URL(address);
    assert.equal(searchParams.get("state"), tool.state);
    const tokens = await tool.exchange(searchParams.get("code"));
    assert.equal(tokens.status, 200, tokens.error_description);
    assert.equal(await knock(tokens.access_token), 200);
}

test("a private scheme is opened by a page that stays and has a link", async () => {
    const tool = await ask(PRIVATE);
    const asked = await navigations(page);
    await button("allow").click();
    const target = await opened(asked, PRIVATE);
    assert.ok(page.url().includes("/oauth/resume"), `the browser stays at ${page.url()}`);
    assert.equal(await page.locator(`a[href^="${PRIVATE}"]`).first().getAttribute("href"), target);
    await shot(page, "sign-in-return");
    await gets_in(tool, target);
});

test("an https address that hops to a private scheme", async () => {
    const tool = await ask(WEB, WIDE, { ignoreHTTPSErrors: true });
    const asked = await navigations(page);
    await button("allow").click();
    await until(() => web.seen.length, "the tool's web server is visited");
    await opened(asked, HOP);
    await gets_in(tool, new URL(web.seen.at(-1), WEB).href);
});

test("two clicks have the outcome of one", async () => {
    const tool = await ask(PRIVATE);
    const asked = await navigations(page);
    await button("allow").dblclick();
    await gets_in(tool, await opened(asked, PRIVATE));
    await page.goBack();
    await settled(page);
    assert.ok((await page.innerText("body")).trim(), "going back shows a page");
    await shot(page, "sign-in-again");
});

test("denying goes back with an error", async () => {
    await ask(PRIVATE);
    const asked = await navigations(page);
    await button("deny").click();
    assert.equal(new URL(await opened(asked, PRIVATE)).searchParams.get("error"), "access_denied");
    await shot(page, "sign-in-denied");
});

test("on a phone, without scripts", async () => {
    const tool = await ask(PRIVATE, PHONE, { javaScriptEnabled: false });
    const asked = await navigations(page);
    await button("allow").click();
    await gets_in(tool, await opened(asked, PRIVATE));
});

test("the page is not shown in a foreign frame", async () => {
    await ask(PRIVATE);
    const address = page.url();
    await page.goto(`${new URL(stack.mcp_url).origin}/.well-known/oauth-authorization-server`);
    await page.setContent(`<iframe src="${address}"></iframe>`);
    const frame = await until(() => page.frames().find((one) => one !== page.mainFrame() && one.url()), "it is loaded");
    await frame.waitForLoadState().catch(() => {});
    assert.equal(await frame.locator("button[name=decision]").count(), 0, "the page is framed");
    page.faults.length = 0;
});

test("an unknown client gets a page that says what to do", async () => {
    const tool = await AiTool.register(NAME, PRIVATE);
    page = await (await browser.newContext({ viewport: WIDE })).newPage();
    tool.client_id = "mcp_client_0000000000000000000000";
    await page.goto(tool.authorizeUrl());
    await shot(page, "sign-in-unknown-client");
    assert.match(await page.innerText("body"), /again/i);
});
