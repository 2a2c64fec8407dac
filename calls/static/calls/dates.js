/* Django's calendar cannot read dates such as 24 Dec 2026, and would open at the current month instead of the date's. */

(() => {
  const read = String.prototype.strptime;

  String.prototype.strptime = function (format) {
    if (format !== "%d %b %Y") return read.call(this, format);
    const [, day, name, year] = /^\s*(\d{1,2})\s+([A-Za-z]{3})[a-z]*\s+(\d{4})\s*$/.exec(this) ?? [];
    const month = [...Array(12).keys()].find((at) => new Date(2000, at, 1).strftime("%b") === name);
    return new Date(Date.UTC(year, month, day));
  };
})();
