// Buttons that copy the text of another element: <button data-copies="id" data-copied="Copied" hidden>.
"use strict";

for (const button of document.querySelectorAll("[data-copies]")) {
  const source = document.getElementById(button.dataset.copies);
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren(source);
    let copied = false;
    try {
      await navigator.clipboard.writeText(source.textContent);
      copied = true;
    } catch {
      // Without HTTPS there is no clipboard API; the older command copies the selection.
      copied = document.execCommand("copy");
    }
    if (copied) {
      button.textContent = button.dataset.copied;
      const status = document.getElementById("copy-status");
      if (status) status.textContent = button.dataset.copied;
      setTimeout(() => { button.textContent = label; }, 2000);
    }
  });
}
