// The addresses that a browser leaves the server for: a web server of the tool, and other programs.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import https from "node:https";
import os from "node:os";
import path from "node:path";

/** A web server with a certificate for client.example: its port, and the address of each request in `seen`. */
export async function webServer(answer) {
    const seen = [];
    const server = https.createServer(certificate(), (request, response) => {
        if (!request.url.startsWith("/favicon")) {
            seen.push(request.url);
        }
        answer(request, response);
    });
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
