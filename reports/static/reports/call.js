/* A note that was begun is posted along when the caller is shown, and is in its form again on the next page. */
(() => {
  document.addEventListener("formdata", (event) => {
    const note = document.getElementById("new-note");
    if (!event.target.matches("#show-caller") || !note) return;
    for (const name of ["result", "text"]) event.formData.set(name, note.elements[name].value);
  });
})();
