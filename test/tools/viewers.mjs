// Loads a trace in speedscope and in the performance panel of Chromium's DevTools, both without a display, and takes a
// screenshot of each. Fails when speedscope warns (it does when slices overlap or are not nested) or when a viewer shows
// nothing of the trace.
//
//   npm install --prefix viewers speedscope@1.25.0 playwright-core@1.65.1
//   node test/tools/viewers.mjs viewers out/trace.json.gz screenshots
//
// CHROMIUM names the browser; the default is /usr/bin/chromium.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';

const [modules, trace, screenshots] = process.argv.slice(2);
if (screenshots === undefined) {
  console.error('usage: node viewers.mjs FOLDER-WITH-node_modules TRACE FOLDER-FOR-SCREENSHOTS');
  process.exit(2);
}
const require = createRequire(path.resolve(modules) + path.sep);
const { chromium } = require('playwright-core');
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const speedscopeFolder = path.join(path.dirname(require.resolve('speedscope/package.json')), 'dist/release');

const bytes = fs.readFileSync(trace);
const text = trace.endsWith('.gz') ? zlib.gunzipSync(bytes) : bytes;
const content = JSON.parse(text);
const slices = content.traceEvents.filter((event) => event.ph === 'X');
const threads = new Set(slices.map((event) => `${event.pid}/${event.tid}`));
const processes = content.traceEvents.filter(
    (event) => event.name === 'process_name' && slices.some((slice) => slice.pid === event.pid));
fs.mkdirSync(screenshots, { recursive: true });

const kTypes = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json' };

/** Serves speedscope and the trace from one loopback port; resolves to the server. */
function serve() {
  const server = http.createServer((request, response) => {
    const name = new URL(request.url, 'http://localhost').pathname;
    const file = path.join(speedscopeFolder, path.normalize(name));
    if (name === '/trace.json') {
      response.setHeader('Content-Type', 'application/json');
      response.end(text);
    } else if (fs.existsSync(file) && fs.statSync(file).isFile()) {
      response.setHeader('Content-Type', kTypes[path.extname(file)] ?? 'application/octet-stream');
      response.end(fs.readFileSync(file));
    } else {
      response.statusCode = 404;
      response.end();
    }
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function speedscope() {
  const server = await serve();
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage({ viewport: { width: 1600, height: 900 } });
    const complaints = [];
    page.on('console', (message) => {
      if (['warning', 'error'].includes(message.type()) && !message.location().url.includes('favicon')) {
        complaints.push(message.text());
      }
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(`http://127.0.0.1:${server.address().port}/index.html#profileURL=/trace.json`);
    // The title bar counts the profiles, one per thread.
    const counter = page.getByText(new RegExp(`\\(\\d+/${threads.size}\\)`));
    await counter.first().waitFor({ timeout: 120_000 });
    await page.waitForTimeout(1000);  // until it has drawn
    await page.screenshot({ path: path.join(screenshots, 'speedscope.png') });
    // WebGL in a browser without a display complains of its own speed.
    const ours = complaints.filter((complaint) => !/GL Driver Message|GPU stall|swiftshader|WebGL/i.test(complaint));
    assert.deepEqual(ours, [], 'speedscope warned');
    console.log(`speedscope: ${threads.size} threads, no warnings`);
  } finally {
    await browser.close();
    server.close();
  }
}

async function devtools() {
  const port = await freePort();
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', `--remote-debugging-port=${port}`, '--remote-allow-origins=*'],
  });
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'makespan-viewers-')), 'trace.json');
  fs.writeFileSync(file, text);
  try {
    const page = await browser.newPage({ viewport: { width: 1600, height: 1000 } });
    await page.goto(`http://127.0.0.1:${port}/devtools/devtools_app.html?panel=timeline`);
    const chooser = page.waitForEvent('filechooser', { timeout: 60_000 });
    await page.getByRole('button', { name: /load (profile|trace)/i }).first().click({ timeout: 60_000 });
    await (await chooser).setFiles(file);
    // The text of an empty panel makes about 70 colours, a trace of a thousand slices more than a thousand.
    const colours = () => page.evaluate(() => {
      const canvases = (root) => [...root.querySelectorAll('*')].flatMap(
          (element) => (element.tagName === 'CANVAS' ? [element] : []).concat(
              element.shadowRoot ? canvases(element.shadowRoot) : []));
      const counts = canvases(document).filter((canvas) => canvas.width > 600 && canvas.height > 200).map((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
      });
      return Math.max(0, ...counts);
    });
    const deadline = Date.now() + 120_000;
    while (await colours() < 200 && Date.now() < deadline) {
      await page.waitForTimeout(500);
    }
    assert.ok(await colours() >= 200, 'DevTools draws no slices');
    await page.keyboard.press('Escape');
    await page.waitForTimeout(1000);
    await page.screenshot({ path: path.join(screenshots, 'devtools.png') });
    const said = await page.evaluate(() => {
      const words = (root) => [...root.childNodes].map(
          (node) => (node.nodeType === 3 ? node.textContent : '') + words(node) +
              (node.shadowRoot ? words(node.shadowRoot) : '')).join(' ');
      return words(document.body);
    });
    assert.doesNotMatch(said, /failed to (load|parse)|malformed|unexpected (end|token)/i, 'DevTools refused the trace');
    console.log(`devtools: ${processes.length} processes drawn; look at the screenshot`);
  } finally {
    await browser.close();
    fs.rmSync(path.dirname(file), { recursive: true });
  }
}

await speedscope();
await devtools();
