// Builds the page into the gateway's package, each file beside its compressed forms.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const OUT = process.env.MODELIUM_UI_OUT ?? "../services/gateway/modelium/gateway/pages/ui";
const COMPRESSED = /\.(html|js|css|svg|json)$/;

/** The gateway sends these as they are: it compresses nothing itself. */
function compressed(): Plugin {
  return {
    name: "modelium-compressed",
    apply: "build",
    closeBundle() {
      for (const name of readdirSync(OUT, { recursive: true, encoding: "utf8" })) {
        const path = join(OUT, name);
        if (!COMPRESSED.test(name) || !statSync(path).isFile()) continue;
        const body = readFileSync(path);
        writeFileSync(`${path}.gz`, gzipSync(body, { level: 9 }));
        writeFileSync(`${path}.br`, brotliCompressSync(body));
      }
    },
  };
}

// Paths that the development server hands on to a gateway that runs.
const ROUTES = ["/v1", "/v2", "/admin", "/session", "/live", "/events", "/models", "/status", "/predict"];
const GATEWAY = process.env.MODELIUM_GATEWAY_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  base: "/ui/",
  plugins: [react(), tailwindcss(), compressed()],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    // Nothing inside the files themselves: the page's policy lets only files of its own in.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  server: { proxy: Object.fromEntries(ROUTES.map((path) => [path, GATEWAY])) },
});
