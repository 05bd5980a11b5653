// An MCP administrator checks the connection: the sidecar looks at itself, and the form shows what it found.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { launch, logInAdministrator, shot, visit } from "./support/browser.mjs";

let browser, page;

before(async () => {
    browser = await launch();
    page = await logInAdministrator(browser);
});
after(() => browser.close());
afterEach(() => assert.deepEqual(page.faults.splice(0), [], "the page complains"));

const dialog = (selector) => page.locator(`.modal ${selector}`);

/** The results by the names of what was checked. */
async function results() {
    await dialog('button:has-text("Check Again")').waitFor({ timeout: 40_000 });
    const rows = await dialog(".o_data_row").all();
    const cell = (row, name) => row.locator(`.o_data_cell[name=${name}]`).innerText();
    const read = async (row) => [await cell(row, "name"), [await cell(row, "status"), await cell(row, "result")]];
    return Object.fromEntries(await Promise.all(rows.map(read)));
}

test("the sidecar checks itself, and checks again", async () => {
    await visit(page, "/odoo/mcp-settings");
    await page.locator('button:has-text("Check Connection")').click();
    for (const time of [1, 2]) {
        const found = await results();
        assert.equal(Object.keys(found).length, 10, `${time}: ${JSON.stringify(found)}`);
        for (const name of ["Reachable", "Discovery of the login", "Login paths", "Call with a key", "Streams"]) {
            assert.equal(found[name][0], "OK", `${time}: ${name}: ${found[name][1]}`);
        }
        if (time === 1) {
            await shot(page, "connection-check");
            await dialog('button:has-text("Check Again")').click();
            await dialog(".o_mcp_check_progress").waitFor();
        }
    }
});
