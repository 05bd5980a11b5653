// An AI tool that logs in by OAuth, as far as it needs no browser.

import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { stack } from "./stack.mjs";

const issuer = new URL(stack.mcp_url).origin;
const text = (bytes) => randomBytes(bytes).toString("base64url");

async function post(path, body, type) {
    const headers = { "Content-Type": type };
    const response = await fetch(issuer + path, { method: "POST", headers, body });
    return { status: response.status, ...(await response.json()) };
}

export class AiTool {
    /** One that has registered itself. */
    static async register(name, ...redirect_uris) {
        const asked = { client_name: name, redirect_uris, token_endpoint_auth_method: "none" };
        const { client_id } = await post("/oauth/register", JSON.stringify(asked), "application/json");
        return Object.assign(new AiTool(), { client_id, redirect_uri: redirect_uris[0] });
    }

    /** The address to which it sends the browser; a state as long and as odd as any. */
    authorizeUrl(scope = "mcp:write") {
        this.verifier = text(32);
        this.state = `${text(300)}=&+ü %2B"`;
        const code_challenge = createHash("sha256").update(this.verifier).digest("base64url");
        const { client_id, redirect_uri, state } = this;
        const query = { response_type: "code", client_id, redirect_uri, state, code_challenge };
        Object.assign(query, { code_challenge_method: "S256", resource: stack.mcp_url, ...(scope && { scope }) });
        return `${issuer}/oauth/authorize?${new URLSearchParams(query)}`;
    }

    /** What the token endpoint answers to a code. */
    exchange(code) {
        const { client_id, redirect_uri, verifier } = this;
        const form = { grant_type: "authorization_code", code, client_id, redirect_uri, code_verifier: verifier };
        return post("/oauth/token", String(new URLSearchParams(form)), "application/x-www-form-urlencoded");
    }
}

/** A local program that waits for the answer: `answer` is the query it gets. */
export async function loopback() {
    let got;
    const answer = new Promise((resolve) => (got = resolve));
    const server = createServer((request, response) => {
        const { pathname, searchParams } = new URL(request.url, "http://localhost");
        if (pathname === "/callback") {
            got(Object.fromEntries(searchParams));
        }
        response.end("You can close this window.");
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { uri: `http://127.0.0.1:${server.address().port}/callback`, answer, close: () => server.close() };
}
