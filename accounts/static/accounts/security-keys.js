/* The button that asks the browser for a security key. allauth's script does the rest. */
(() => {
  const form = document.getElementById("key-form");
  if (!form) return;
  const failed = document.getElementById("key-failed");
  const ids = { add: "key-button", authenticate: "key-button", credential: "key-answer", data: "key-options" };
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    failed.hidden = false;
  });
  document.getElementById("key-button").addEventListener("click", () => {
    failed.hidden = true;
  });
  allauth.webauthn.forms[form.dataset.ceremony]({ ids });
})();
