// Odoo as its web client calls it: what the tests prepare and clean up, without a browser.

import { stack } from "./stack.mjs";

export class Odoo {
    /** A session of the stack's administrator. */
    static async administrator() {
        const odoo = new Odoo();
        const credentials = { db: stack.database, login: stack.admin_login, password: stack.admin_password };
        await odoo.post("/web/session/authenticate", credentials);
        return odoo;
    }

    async post(path, params) {
        const response = await fetch(stack.odoo_url + path, {
            method: "POST",
            headers: { "Content-Type": "application/json", ...(this.cookie && { Cookie: this.cookie }) },
            body: JSON.stringify({ jsonrpc: "2.0", params }),
        });
        const [cookie] = response.headers.getSetCookie().filter((one) => one.startsWith("session_id="));
        this.cookie = cookie?.split(";")[0] ?? this.cookie;
        const { result, error } = await response.json();
        if (error) {
            throw new Error(`${path}: ${error.data?.message ?? error.message}`);
        }
        return result;
    }

    call(model, method, args = [], kwargs = {}) {
        return this.post(`/web/dataset/call_kw/${model}/${method}`, { model, method, args, kwargs });
    }

    /** The ids of records that may be archived as well. */
    search(model, domain) {
        return this.call(model, "search", [domain], { context: { active_test: false } });
    }

    async idOf(xmlid) {
        const [module, name] = xmlid.split(".");
        const found = await this.call("ir.model.data", "search_read", [
            [["module", "=", module], ["name", "=", name]],
            ["res_id"],
        ]);
        return found[0].res_id;
    }

    /** A person with that login, which is the password as well, in these groups. */
    async person(login, groups) {
        const group_ids = [[6, 0, await Promise.all(groups.map((group) => this.idOf(group)))]];
        const [id] = await this.call("res.users", "create", [[{ name: login, login, password: login, group_ids }]]);
        return id;
    }

    async remove(model, domain) {
        const ids = await this.search(model, domain);
        if (ids.length) {
            await this.call(model, "unlink", [ids]);
        }
    }
}
