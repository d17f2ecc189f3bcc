// A page that has its web worker make the journey.

const worker = new Worker(new URL("./web-worker.js", import.meta.url), { type: "module" });
worker.onmessage = ({ data }) => {
  document.documentElement.dataset.came = data;
};
worker.postMessage(decodeURIComponent(location.hash.slice(1)));
