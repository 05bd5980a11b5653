// An MCP User sees and rotates what is theirs, and nothing else.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { clipboard, confirmed, launch, logIn, settled, shot, visit } from "./support/browser.mjs";
import { knock } from "./support/mcp.mjs";
import { Odoo } from "./support/odoo.mjs";
import { until } from "./support/stack.mjs";

const LOGIN = "browser_mcp_user";
let browser, odoo, page, key;

before(async () => {
    odoo = await Odoo.administrator();
    await odoo.remove("res.users", [["login", "=", LOGIN]]);
    const user = await odoo.person(LOGIN, ["base.group_user", "mcp_sidecar.group_user"]);
    key = await odoo.call("mcp.connection", "create_api_key", ["Browser: own", user, "full"]);
    browser = await launch();
    page = await logIn(browser, LOGIN, LOGIN);
});
after(async () => {
    await browser.close();
    await odoo.remove("res.users", [["login", "=", LOGIN]]);
});
afterEach(() => assert.deepEqual(page.faults.splice(0), [], "the page complains"));

test("the menu has no settings, and the list only their own", async () => {
    await visit(page, "/odoo/mcp-connections");
    await page.locator(".o_data_row").first().waitFor();
    assert.deepEqual(await page.locator(".o_data_row .o_data_cell[name=name]").allInnerTexts(), ["Browser: own"]);
    assert.equal(await page.locator('button:has-text("Connect a New Tool")').count(), 0);
    await page.locator('.o_menu_sections button:has-text("Configuration")').click();
    const items = await page.locator(".o-dropdown--menu .dropdown-item").allInnerTexts();
    assert.ok(items.includes("Connections") && !items.includes("Server Settings"), `items: ${items}`);
    await shot(page, "user-list");
});

test("the settings are refused", async () => {
    await page.goto("/odoo/mcp-settings");
    await page.locator(".modal, .o_notification").first().waitFor();
    await shot(page, "user-settings-refused");
    assert.equal(await page.locator(".o_mcp_master_switch").count(), 0);
    // refusing is what the page complains of here
    page.faults.length = 0;
});

test("the form can be read, and the key rotated", async () => {
    await visit(page, "/odoo/mcp-connections");
    await page.locator(".o_data_row .o_data_cell[name=name]").click();
    await page.waitForSelector(".o_form_view");
    await settled(page);
    await shot(page, "user-form");
    assert.equal(await page.locator("button[name=action_revoke]").count(), 0);
    const old = key;
    await confirmed(page, page.locator("button[name=action_rotate_key]"), "Rotate Key");
    await page.locator(".modal [name=key] button").click();
    key = await clipboard(page);
    await until(async () => (await knock(key)) === 200, "the new key works");
    assert.equal(await knock(old), 401);
});
