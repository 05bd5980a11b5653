// The main screens on a phone and in a language that is written from right to left. People look at the pictures; what is
// checked here is that nothing complains and that nothing sticks out of the page.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { launch, logIn, logInAdministrator, PHONE, settled, shot, visit } from "./support/browser.mjs";
import { Odoo } from "./support/odoo.mjs";

const LOGIN = "browser_arabic";
const SCREENS = {
    settings: "/odoo/mcp-settings",
    connections: "/odoo/mcp-connections",
    audit: "/odoo/mcp-audit-log",
    sessions: "/odoo/mcp-sessions",
};
let browser, odoo, page, connection;

before(async () => {
    odoo = await Odoo.administrator();
    await odoo.remove("res.users", [["login", "=", LOGIN]]);
    const [arabic] = await odoo.search("res.lang", [["code", "=", "ar_001"]]);
    await odoo.call("res.lang", "write", [[arabic], { active: true }]);
    const user = await odoo.person(LOGIN, ["mcp_sidecar.group_admin", "base.group_system"]);
    await odoo.call("res.users", "write", [[user], { lang: "ar_001" }]);
    [connection] = await odoo.search("mcp.connection", [["active", "=", true]]);
    browser = await launch();
});
after(async () => {
    await browser.close();
    await odoo.remove("res.users", [["login", "=", LOGIN]]);
});
afterEach(async () => {
    assert.deepEqual(page.faults, [], "the page complains");
    await page.context().close();
});

async function look(prefix) {
    for (const [name, address] of Object.entries({ ...SCREENS, connection: `/odoo/mcp-connections/${connection}` })) {
        await visit(page, address);
        await shot(page, `${prefix}-${name}`);
        const [content, window] = await page.evaluate(() => [document.body.scrollWidth, document.body.clientWidth]);
        assert.ok(content <= window, `${name} is ${content} wide in a window of ${window}`);
        const sheet = page.locator(".o_form_sheet");
        if (await sheet.count()) {
            await sheet.evaluate((form) => form.lastElementChild.scrollIntoView({ block: "end" }));
            await shot(page, `${prefix}-${name}-end`);
        }
    }
}

async function openWizard(prefix) {
    await visit(page, SCREENS.settings);
    const more = page.locator(".o_statusbar_buttons .o_dropdown_more, .o_statusbar_buttons button.dropdown-toggle");
    const button = page.locator("button[name='" + (await odoo.idOf("mcp_sidecar.mcp_connect_wizard_action")) + "']");
    if (!(await button.first().isVisible().catch(() => false))) {
        await more.first().click();
    }
    await button.first().click();
    await page.locator(".modal [data-auth-method]").first().waitFor();
    await settled(page);
    await shot(page, `${prefix}-wizard-auth-methods`);
    await page.locator(".modal [data-auth-method=api_key]").click();
    await shot(page, `${prefix}-wizard-api-key`);
}

test("on a phone", async () => {
    page = await logInAdministrator(browser, PHONE);
    await look("phone");
    assert.ok(await page.locator(".o_form_view").count());
    await visit(page, SCREENS.connections);
    assert.ok(await page.locator(".o_kanban_view").count(), "connections don't open as cards");
    await openWizard("phone");
});

test("from right to left", async () => {
    page = await logIn(browser, LOGIN, LOGIN);
    await look("arabic");
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).direction), "rtl");
    await openWizard("arabic");
});
