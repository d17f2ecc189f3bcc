// A page that has its web worker make the journey, or its service worker.

import address from "./service-worker.js?worker&url";

const shop = decodeURIComponent(location.hash.slice(1));
function done({ data }) {
  document.documentElement.dataset.came = data;
}

if (location.search === "?service-worker") {
  navigator.serviceWorker.register(address).then(({ installing, active }) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = done;
    (installing ?? active).postMessage(shop, [port2]);
  });
} else {
  const worker = new Worker(new URL("./web-worker.js", import.meta.url), { type: "module" });
  worker.onmessage = done;
  worker.postMessage(shop);
}
