// The least that a Worker in front of Omise can do: put the secret key in, and check nothing. Nobody may deploy it; it shows what
// the runtime itself costs.

export default {
  /**
   * @param {Request} request
   * @param {{ OMISE_API_URL: string, OMISE_SECRET_KEY: string }} env
   */
  fetch(request, env) {
    const { pathname, search } = new URL(request.url);
    const forwarded = new Request(env.OMISE_API_URL + pathname + search, request);
    forwarded.headers.set("Authorization", `Basic ${btoa(`${env.OMISE_SECRET_KEY}:`)}`);
    return fetch(forwarded);
  },
};
