// Shows only the samples of one status or reward. Without scripts the form stays hidden and all samples show.
for (const form of document.querySelectorAll("form.filter")) {
  const items = document.querySelectorAll("[data-status]");
  const shown = form.querySelector("output");
  const apply = () => {
    const status = form.elements.status.value;
    const reward = form.elements.reward.value;
    let count = 0;
    for (const item of items) {
      item.hidden = (status && item.dataset.status !== status) || (reward && item.dataset.reward !== reward);
      count += !item.hidden;
    }
    shown.value = count + " of " + items.length;
  };
  form.addEventListener("change", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("button")?.addEventListener("click", (event) => {
    const open = event.target.dataset.open !== "true";
    event.target.dataset.open = open;
    for (const fold of document.querySelectorAll("article > details")) fold.open = open;
  });
  form.hidden = false;
  apply();
}
