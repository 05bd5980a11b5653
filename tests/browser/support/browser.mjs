// Chromium, and Odoo's web client in it.

import { createRequire } from "node:module";
import path from "node:path";
import { stack } from "./stack.mjs";

const { chromium } = createRequire(`${process.env.BROWSER_MODULES}/`)("playwright-core");

export const WIDE = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };

/** A browser, started with these words beside the usual ones; close it in the end. */
export function launch(...words) {
    return chromium.launch({ executablePath: process.env.BROWSER_CHROMIUM, args: ["--no-sandbox", ...words] });
}

/** A page of somebody who has logged in. Errors of the page are gathered in `page.faults`. */
export async function logIn(browser, login, password, viewport = WIDE, options = {}) {
    const phone = viewport.width < 768 && { isMobile: true, hasTouch: true };
    const context = await browser.newContext({ baseURL: stack.odoo_url, ...phone, ...options, viewport });
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: stack.odoo_url });
    const credentials = { db: stack.database, login, password };
    const answer = await context.request.post("/web/session/authenticate", { data: { params: credentials } });
    if (!(await answer.json()).result?.uid) {
        throw new Error(`${login} can't log in`);
    }
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    page.faults = [];
    page.on("pageerror", (error) => page.faults.push(String(error)));
    page.on("console", (message) => message.type() === "error" && page.faults.push(message.text()));
    return page;
}

export function logInAdministrator(browser, viewport) {
    return logIn(browser, stack.admin_login, stack.admin_password, viewport);
}

/** Opens an address of the web client and waits until its view is there. */
export async function visit(page, address) {
    await page.goto(address);
    await page.waitForSelector(".o_action_manager .o_view_controller");
    await settled(page);
}

/** Until nothing loads or moves any more. */
export async function settled(page) {
    await page.waitForFunction(
        () =>
            !document.querySelector(".o_loading_indicator, .o_blockUI") &&
            [...document.images].every((image) => image.complete)
    );
    // a sign of waiting turns for ever
    const ends = (one) => one.effect.getComputedTiming().endTime !== Infinity;
    await page.evaluate(
        `Promise.all(document.getAnimations().filter(${ends}).map((one) => one.finished.catch(() => {})))`
    );
}

/** Clicks what has that name in a view, and in the dialog that asks whether it is meant. */
export async function confirmed(page, button, label) {
    await button.click();
    await page.locator(`.modal-footer button:has-text("${label}")`).click();
    await settled(page);
}

/** What the last click on a copy button has left. */
export function clipboard(page) {
    return page.evaluate(() => navigator.clipboard.readText());
}

/** A picture of the page, for people to look at. */
export async function shot(page, name) {
    await settled(page);
    await page.mouse.move(0, 0);
    await page.screenshot({ path: path.join(process.env.BROWSER_SCREENSHOTS, `${name}.png`) });
}
