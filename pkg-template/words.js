// What to tell customers, a catalogue for each language, each loaded when it is wanted.

/**
 * The catalogue of a locale, or of the page's own; English where the language is another, or its catalogue does not come.
 *
 * @param {string} [locale] a language tag such as `th-TH`
 * @returns {Promise<{ reasons: Record<string, string>, failures: Record<string, string>, issues: Record<string, string> } | undefined>} `undefined` where not even English comes
 */
export async function words(locale) {
  const page = () => globalThis.document?.documentElement?.lang;
  const [language] = String(locale ?? page() ?? "")
    .toLowerCase()
    .split(/[-_]/);
  const english = () => import("./messages/en.js");
  try {
    // written out, so that bundlers see them
    if (language === "th") return (await import("./messages/th.js")).default;
    if (language === "ja") return (await import("./messages/ja.js")).default;
    return (await english()).default;
  } catch {
    return (await english().catch(() => undefined))?.default;
  }
}
