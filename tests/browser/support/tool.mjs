// An AI tool that signs in by OAuth, and the addresses that a browser leaves the server for.

import { createHash, randomBytes } from "node:crypto";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import os from "node:os";
import path from "node:path";
import { stack } from "./stack.mjs";

const json = { "Content-Type": "application/json" };

/** A client that has registered with these redirect URIs. */
export class Tool {
    static async register(name, redirectUris) {
        const tool = new Tool();
        const challenged = await fetch(stack.mcp_url, { method: "POST", headers: json, body: "{}" });
        const [, resource] = /resource_metadata="([^"]+)"/.exec(challenged.headers.get("www-authenticate"));
        const [issuer] = (await (await fetch(resource)).json()).authorization_servers;
        tool.server = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json();
        const metadata = { client_name: name, redirect_uris: redirectUris, token_endpoint_auth_method: "none" };
        const body = JSON.stringify(metadata);
        const answer = await fetch(tool.server.registration_endpoint, { method: "POST", headers: json, body });
        if (answer.status !== 201) {
            throw new Error(`registration answers ${answer.status}: ${await answer.text()}`);
        }
        tool.id = (await answer.json()).client_id;
        return tool;
    }

    /** The address that it opens in a browser. */
    authorize(redirectUri) {
        this.verifier = randomBytes(36).toString("base64url");
        this.redirectUri = redirectUri;
        const parameters = {
            response_type: "code",
            client_id: this.id,
            redirect_uri: redirectUri,
            code_challenge: createHash("sha256").update(this.verifier).digest("base64url"),
            code_challenge_method: "S256",
            state: "a&b=c +ü",
            scope: "mcp:read mcp:write",
            resource: stack.mcp_url,
        };
        return `${this.server.authorization_endpoint}?${new URLSearchParams(parameters)}`;
    }

    /** Its access token, for what the browser brought back. */
    async exchange(address) {
        const found = new URL(address).searchParams;
        if (found.get("iss") !== this.server.issuer || found.get("state") !== "a&b=c +ü") {
            throw new Error(`not the answer to what was asked: ${address}`);
        }
        const body = new URLSearchParams({
            grant_type: "authorization_code",
            code: found.get("code"),
            redirect_uri: this.redirectUri,
            code_verifier: this.verifier,
            client_id: this.id,
            resource: stack.mcp_url,
        });
        const answer = await fetch(this.server.token_endpoint, { method: "POST", body });
        if (answer.status !== 200) {
            throw new Error(`the token endpoint answers ${answer.status}: ${await answer.text()}`);
        }
        return (await answer.json()).access_token;
    }
}

/** A web server for one callback: its port, and the address of each request in `seen`. */
export async function callbackServer(secure, answer) {
    const seen = [];
    const handler = (request, response) => {
        if (!request.url.startsWith("/favicon")) {
            seen.push(request.url);
        }
        answer(request, response);
    };
    const server = secure ? https.createServer(certificate(), handler) : http.createServer(handler);
    await new Promise((done) => server.listen(0, "127.0.0.1", done));
    return { seen, port: server.address().port, close: () => server.close() };
}

function certificate() {
    const folder = mkdtempSync(path.join(os.tmpdir(), "callback-"));
    const [key, cert] = ["key.pem", "cert.pem"].map((name) => path.join(folder, name));
    const words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=client.example";
    execFileSync("openssl", [...words.split(" "), "-keyout", key, "-out", cert], { stdio: "ignore" });
    return { key: readFileSync(key), cert: readFileSync(cert) };
}

/** Every address that the page wants to go to, those of other programs (cursor:) among them. */
export async function navigations(page) {
    const asked = [];
    const session = await page.context().newCDPSession(page);
    await session.send("Page.enable");
    session.on("Page.frameRequestedNavigation", (event) => asked.push(event.url));
    await session.send("Network.enable");
    session.on("Network.requestWillBeSent", (event) => asked.push(event.request.url));
    return asked;
}
