// A login by browser: from the AI tool's address over Odoo's page of consent back to the tool, and what the cockpit
// shows of it.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { launch, logIn, logInAdministrator, PHONE, settled, shot, visit, WIDE } from "./support/browser.mjs";
import { knock } from "./support/mcp.mjs";
import { AiTool, loopback } from "./support/oauth.mjs";
import { Odoo } from "./support/odoo.mjs";
import { stack, until } from "./support/stack.mjs";

const LOGIN = "browser_consent";
const ARABIC = "browser_consent_arabic";
const NAMES = ["Browser: loopback", "Browser: private", "Browser: https", "Browser: wizard", "Browser: by hand"];
const CURSOR = "cursor://anysphere.cursor-mcp/oauth/callback";
let browser, odoo, page;

async function cleanUp() {
    await odoo.remove("mcp.oauth.client", [["name", "in", NAMES]]);
    await odoo.remove("res.users", [["login", "in", [LOGIN, ARABIC]]]);
}
before(async () => {
    odoo = await Odoo.administrator();
    await cleanUp();
    await odoo.person(LOGIN, ["mcp_sidecar.group_user"]);
    const [arabic] = await odoo.search("res.lang", [["code", "=", "ar_001"]]);
    await odoo.call("res.lang", "write", [[arabic], { active: true }]);
    const [addon] = await odoo.search("ir.module.module", [["name", "=", "mcp_sidecar"]]);
    const loaded = { lang_ids: [[6, 0, [arabic]]], overwrite: true };
    const [install] = await odoo.call("base.language.install", "create", [[loaded]]);
    await odoo.call("base.language.install", "lang_install", [[install]]);
    assert.ok(addon);
    const user = await odoo.person(ARABIC, ["mcp_sidecar.group_user"]);
    await odoo.call("res.users", "write", [[user], { lang: "ar_001" }]);
    browser = await launch();
});
after(async () => {
    await browser.close();
    await cleanUp();
});
afterEach(async () => {
    assert.deepEqual(page.faults, [], "the page complains");
    await page.context().close();
});

const allow = () => page.locator("button[value=allow]");
const connections = () => odoo.search("mcp.connection", [["kind", "=", "oauth"], ["name", "in", NAMES]]);

/** Nothing sticks out on a screen as narrow as this. */
async function fits() {
    const [content, window] = await page.evaluate(() => [document.body.scrollWidth, document.body.clientWidth]);
    assert.ok(content <= window, `the page is ${content} wide in a window of ${window}`);
}

test("who has not logged in does so, and is asked; the answer reaches a local program", async () => {
    const program = await loopback();
    const tool = await AiTool.register(NAMES[0], program.uri);
    const context = await browser.newContext({ baseURL: stack.odoo_url, viewport: WIDE });
    page = Object.assign(await context.newPage(), { faults: [] });
    page.on("console", (message) => message.type() === "error" && page.faults.push(message.text()));
    await page.goto(tool.authorizeUrl());
    await page.locator("input[name=login]").fill(LOGIN);
    await page.locator("input[name=password]").fill(LOGIN);
    await page.locator(".oe_login_buttons button[type=submit]").first().click();
    await allow().waitFor();
    assert.match(await page.locator(".o_mcp_redirect").innerText(), /^127\.0\.0\.1/);
    assert.equal(await page.locator(".alert-danger").count(), 1, "no loud warning");
    await shot(page, "consent-loopback");
    assert.deepEqual(await connections(), [], "stored before it was allowed");

    await allow().click();
    const { code, state, iss } = await program.answer;
    assert.equal(state, tool.state);
    assert.equal(iss, new URL(stack.mcp_url).origin);
    const tokens = await tool.exchange(code);
    assert.equal(tokens.status, 200, JSON.stringify(tokens));
    assert.equal(await knock(tokens.access_token), 200);

    // ended in Odoo, by the user
    const [id] = await connections();
    await visit(page, `/odoo/mcp-connections/${id}`);
    await shot(page, "connection-oauth-user");
    await page.locator("button[name=action_end_grant]").click();
    await page.locator('.modal-footer button:has-text("End Access")').click();
    await until(async () => (await knock(tokens.access_token)) === 401, "the token is refused");
    program.close();
});

test("an app on the device gets its answer by a page that navigates and shows a link", async () => {
    const tool = await AiTool.register(NAMES[1], CURSOR);
    page = await logIn(browser, LOGIN, LOGIN, PHONE);
    await page.goto(tool.authorizeUrl(null));
    await allow().waitFor();
    await fits();
    await shot(page, "consent-private-phone");
    await page.locator("input[value=read_only]").check();
    await allow().click();
    const link = page.locator(`a[href^="${CURSOR}"]`).first();
    await link.waitFor();
    const answer = new URL(await link.getAttribute("href"));
    assert.equal(answer.searchParams.get("state"), tool.state);
    await shot(page, "consent-return-phone");
    assert.equal((await tool.exchange(answer.searchParams.get("code"))).scope, "mcp:read");
    // that no app of that name is installed here is no fault of the page
    page.faults = page.faults.filter((fault) => !/scheme|launch/i.test(fault));
});

test("an address of another server that goes on to an app", async () => {
    const redirect = "https://app.example.com/callback";
    const tool = await AiTool.register(NAMES[2], redirect);
    page = await logIn(browser, LOGIN, LOGIN);
    let reached;
    await page.route("https://app.example.com/**", (route) => {
        reached = new URL(route.request().url());
        return route.fulfill({ status: 302, headers: { Location: `${CURSOR}${reached.search}` } });
    });
    await page.goto(tool.authorizeUrl());
    await allow().waitFor();
    await shot(page, "consent-https");
    await page.locator("button[value=deny]").click();
    await until(() => reached, "the tool's server is visited");
    assert.equal(reached.searchParams.get("error"), "access_denied");
    assert.equal(reached.searchParams.get("state"), tool.state);
    page.faults = page.faults.filter((fault) => !/scheme|launch|ERR_/i.test(fault));
});

test("a page that can't go on says why, and another account can be used", async () => {
    page = await logIn(browser, LOGIN, LOGIN);
    const response = await page.goto("/mcp_sidecar/consent?request=unknown");
    assert.equal(response.status(), 404);
    await shot(page, "consent-unknown");
    page.faults = page.faults.filter((fault) => !/404/.test(fault));
    await page.locator(".o_mcp_other_account").click();
    await page.locator("input[name=redirect][value='/mcp_sidecar/consent?request=unknown']").waitFor({ state: "attached" });
});

test("without JavaScript, from right to left, and in dark colours", async () => {
    const tool = await AiTool.register(NAMES[0], "http://127.0.0.1:1/callback");
    page = await logIn(browser, ARABIC, ARABIC);
    await page.goto(tool.authorizeUrl());
    await allow().waitFor();
    await fits();
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).direction), "rtl");
    await shot(page, "consent-arabic");
    for (const look of [{ colorScheme: "dark" }, { colorScheme: "dark", forcedColors: "active" }]) {
        await page.emulateMedia(look);
        await shot(page, `consent-${look.forcedColors ? "forced" : "dark"}`);
    }
    assert.equal(await page.locator("script").count(), 0);
});

test("the wizard waits for a browser login, and shows it turn connected", async () => {
    const program = await loopback();
    const tool = await AiTool.register(NAMES[3], program.uri);
    page = await logInAdministrator(browser);
    await visit(page, "/odoo/mcp-connections");
    await page.locator('button:has-text("Connect a New Tool")').first().click();
    await page.locator(".modal [data-auth-method=browser]").click();
    await page.locator(".modal .o_mcp_awaited .alert").first().waitFor();
    await shot(page, "wizard-browser-waiting");
    const other = await page.context().newPage();
    await other.goto(tool.authorizeUrl());
    await other.locator("button[value=allow]").click();
    const tokens = await tool.exchange((await program.answer).code);
    await page.bringToFront();
    const shown = page.locator(`.modal .o_mcp_awaited [data-status]:has-text("${NAMES[3]}")`);
    await shown.waitFor();
    await shot(page, "wizard-browser-signed-in");
    assert.equal(await knock(tokens.access_token), 200);
    await page.locator(`.o_mcp_awaited [data-status=connected]:has-text("${NAMES[3]}")`).waitFor();
    await shot(page, "wizard-browser-connected");
    program.close();
});

test("a client is made by hand, and its secret shown once", async () => {
    page = await logInAdministrator(browser);
    await visit(page, "/odoo/mcp-connections");
    await page.locator('button:has-text("Connect a New Tool")').first().click();
    await page.locator(".modal [data-auth-method=oauth_client]").click();
    await page.locator(".modal [name=name] input").fill(NAMES[4]);
    await page.locator(".modal [name=redirect_uris] textarea").fill("https://app.example.com/callback");
    await shot(page, "wizard-custom");
    await page.locator('.modal button:has-text("Create Client")').click();
    const secret = await page.locator(".modal [name=secret]").innerText();
    assert.match(secret, /mcp_cs_[0-9A-Za-z]{49}/);
    await shot(page, "wizard-client");
    await page.locator('.modal button:has-text("Done")').click();
    await page.locator(".modal").waitFor({ state: "detached" });
    assert.ok(!(await page.content()).includes("mcp_cs_"), "the secret is still on the page");
    await visit(page, "/odoo/mcp-oauth-clients");
    await shot(page, "clients-list");
    await page.locator(`.o_data_row:has-text("${NAMES[4]}") .o_data_cell[name=name]`).click();
    await page.waitForSelector(".o_form_view");
    await settled(page);
    await shot(page, "client-form");
    const [id] = await connections();
    await visit(page, `/odoo/mcp-connections/${id}`);
    await shot(page, "connection-oauth");
});
