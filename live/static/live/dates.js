/* Writes dates and times as the pages do, in their language and time zone: 28 Nov, 16:17. */
const liveDates = (() => {
  const language = document.documentElement.lang.replace(/^(en)?$/, "en-GB");
  return (zone, parts) => new Intl.DateTimeFormat(language, { timeZone: zone, ...parts });
})();
