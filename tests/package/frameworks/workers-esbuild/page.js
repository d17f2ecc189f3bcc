// A page that has its service worker make the journey.

await navigator.serviceWorker.register("/service-worker.js");
const { active } = await navigator.serviceWorker.ready;
const { port1, port2 } = new MessageChannel();
port1.onmessage = ({ data }) => {
  document.documentElement.dataset.came = data;
};
active.postMessage(decodeURIComponent(location.hash.slice(1)), [port2]);
