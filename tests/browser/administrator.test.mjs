// An MCP administrator runs the server: the switch, a new connection, its end, and what the log says about it.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { clipboard, confirmed, launch, logInAdministrator, settled, shot, visit } from "./support/browser.mjs";
import { knock } from "./support/mcp.mjs";
import { Odoo } from "./support/odoo.mjs";
import { stack, until } from "./support/stack.mjs";

const NAME = "Browser: administrator";
let browser, odoo, page, key;

before(async () => {
    odoo = await Odoo.administrator();
    await odoo.remove("mcp.connection", [["name", "=", NAME]]);
    browser = await launch();
    page = await logInAdministrator(browser);
});
after(async () => {
    await browser.close();
    await odoo.remove("mcp.connection", [["name", "=", NAME]]);
});
afterEach(() => assert.deepEqual(page.faults.splice(0), [], "the page complains"));

const dialog = (selector) => page.locator(`.modal ${selector}`);
const lets_in = (status) => until(async () => (await knock(key)) === status, `the sidecar answers ${status}`);

async function openConnection() {
    await visit(page, "/odoo/mcp-connections");
    await page.locator(".o_searchview_facet .o_facet_remove").first().click();
    await page.locator(`.o_data_row:has-text("${NAME}") .o_data_cell[name=name]`).click();
    await page.waitForSelector(".o_form_view");
    await settled(page);
}

test("the switch refuses everything at once, and lets it in again", async () => {
    key = stack.api_key;
    await visit(page, "/odoo/mcp-settings");
    await shot(page, "settings");
    const on = page.locator(".o_mcp_master_switch.btn-success:not(:disabled)");
    const off = page.locator(".o_mcp_master_switch.btn-danger:not(:disabled)");
    await lets_in(200);
    await on.click();
    await off.waitFor();
    await lets_in(503);
    await shot(page, "settings-disabled");
    await off.click();
    await on.waitFor();
    await lets_in(200);
});

test("a tool is connected, and its key is shown once", async () => {
    await visit(page, "/odoo/mcp-connections");
    await page.locator('button:has-text("Connect a New Tool")').first().click();
    await dialog("[data-auth-method]").first().waitFor();
    await shot(page, "wizard-auth-methods");
    for (const method of ["browser", "oauth_client"]) {
        assert.ok(await dialog(`[data-auth-method=${method}]`).isEnabled(), `${method} can't be clicked`);
    }
    await dialog("[data-auth-method=api_key]").click();
    await dialog("[name=name] input").fill(NAME);
    await dialog("[name=scope] [data-value=read_only]").click();
    await shot(page, "wizard-api-key");
    assert.deepEqual(await odoo.search("mcp.connection", [["name", "=", NAME]]), [], "stored before it is saved");
    await dialog('button:has-text("Save Connection")').click();

    await dialog("[name=key] button").click();
    key = await clipboard(page);
    assert.match(key, /^mcp_ak_[0-9A-Za-z]{49}$/);
    await dialog("[name=endpoint_url] button").click();
    assert.equal(await clipboard(page), stack.mcp_url);
    const tabs = await dialog(".o_notebook .nav-link").allInnerTexts();
    assert.ok(tabs.length >= 10, `tabs: ${tabs}`);
    for (const [index, tab] of tabs.entries()) {
        await dialog(".o_notebook .nav-link").nth(index).click();
        await dialog(".tab-pane.active .o_mcp_snippet button").click();
        const snippet = await clipboard(page);
        assert.ok(snippet.includes(key) && snippet.includes(stack.mcp_url), `${tab} is not filled in`);
        await shot(page, `wizard-key-${String(index).padStart(2, "0")}`);
    }
    await dialog('button:has-text("Done")').click();
    await page.locator(".modal").waitFor({ state: "detached" });
    assert.ok(!(await page.content()).includes(key), "the key is still on the page");
    await lets_in(200);
});

test("the list shows the connection, by itself and in groups", async () => {
    await visit(page, "/odoo/mcp-connections");
    const row = page.locator(`.o_data_row:has-text("${NAME}")`);
    await until(async () => {
        await page.reload();
        await settled(page);
        return (await row.locator(".o_data_cell[name=status]").innerText()).trim() === "Connected";
    }, "the connection is shown as connected");
    assert.equal(await page.locator(".o_searchview_facet").innerText().then((text) => text.trim()), "Active");
    await shot(page, "connections-list");
    await page.locator(".o_searchview_dropdown_toggler").click();
    await shot(page, "connections-search");
    await page.locator('.o_group_by_menu [role=menuitemcheckbox]:has-text("Status")').click();
    await page.locator(".o_group_header").first().waitFor();
    await page.keyboard.press("Escape");
    await shot(page, "connections-grouped");
    await page.locator(".o_switch_view.o_kanban").click();
    await page.locator(".o_kanban_record").first().waitFor();
    await shot(page, "connections-kanban");
});

test("the form revokes and reactivates, with effect at once", async () => {
    await openConnection();
    await shot(page, "connection-form");
    const revoke = page.locator(".o_statusbar_buttons button[name=action_revoke]");
    await revoke.click();
    await dialog(".modal-footer").waitFor();
    await shot(page, "connection-revoke");
    await dialog('button:has-text("Cancel")').click();
    assert.equal(await knock(key), 200, "cancelling revoked");
    await confirmed(page, revoke, "Revoke");
    await lets_in(401);
    await page.locator(".o_form_view [name=status]:has-text('Revoked')").waitFor();
    await shot(page, "connection-revoked");
    await confirmed(page, page.locator(".oe_stat_button[name=action_reactivate]"), "Reactivate");
    await lets_in(200);
    await page.locator(".oe_stat_button[name=action_revoke]").waitFor();
});

test("rotating replaces the key at once", async () => {
    await openConnection();
    const old = key;
    await confirmed(page, page.locator("button[name=action_rotate_key]"), "Rotate Key");
    await dialog("[name=key] button").click();
    key = await clipboard(page);
    assert.notEqual(key, old);
    await dialog('button:has-text("Done")').click();
    await lets_in(200);
    assert.equal(await knock(old), 401);
});

test("requests are in the log, and at work is who made them", async () => {
    const [id] = await odoo.search("mcp.connection", [["name", "=", NAME]]);
    const logged = () => odoo.search("mcp.audit.log", [["connection_id", "=", id], ["method", "=", "initialize"]]);
    await until(async () => (await logged()).length, "the requests are logged", 30);
    await openConnection();
    const counted = Number(await page.locator("[name=log_count] .o_stat_value").innerText());
    assert.ok(counted > 0);
    await shot(page, "connection-used");
    await page.locator("button[name=action_open_logs]").click();
    await page.locator(".o_list_view .o_data_row").first().waitFor();
    assert.ok((await page.locator(".o_data_row").count()) >= Math.min(counted, 80));
    await shot(page, "audit-of-connection");

    await visit(page, "/odoo/mcp-audit-log");
    await shot(page, "audit-list");
    await page.locator(".o_data_row .o_data_cell").first().click();
    await page.waitForSelector(".o_form_view");
    await shot(page, "audit-form");
    await visit(page, "/odoo/mcp-audit-log");
    for (const view of ["pivot", "graph"]) {
        await page.locator(`.o_switch_view.o_${view}`).click();
        await page.locator(`.o_${view}_view`).waitFor();
        await shot(page, `audit-${view}`);
    }

    const live = [["connection_id", "=", id], ["live", "=", true]];
    await until(async () => (await odoo.search("mcp.session", live)).length, "a live session", 30);
    await visit(page, "/odoo/mcp-sessions");
    await shot(page, "sessions-list");
    await page.locator(`.o_data_row:has-text("${NAME}") .o_data_cell`).first().click();
    await page.waitForSelector(".o_form_view");
    await shot(page, "session-form");
});
