/* A link to the board may have the key after #, which browsers send to no server. It is entered and taken away. */
(() => {
  const form = document.getElementById("board-key");
  if (!form) return;
  const enter = () => {
    const key = new URLSearchParams(location.hash.slice(1)).get("key");
    if (!key) return;
    history.replaceState(null, "", location.pathname + location.search);
    form.elements.key.value = key;
    form.submit();
  };
  addEventListener("hashchange", enter); // the page is open already
  enter();
})();
