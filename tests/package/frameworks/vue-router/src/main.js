import { createApp, h } from "vue";
import { createRouter, createWebHistory } from "vue-router";
import App from "./App.vue";

const Return = { render: () => h("h1", "Return") };
const router = createRouter({
  history: createWebHistory(),
  routes: [{ path: "/return", component: Return }],
});

// the router starts here, and `setup()` runs before it is ready
createApp(App).use(router).mount("#app");
