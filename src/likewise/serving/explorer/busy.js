// Whether the page is at work: `main` says aria-busy until the last answer has come and stands on the page.
const view = document.getElementById("view");
let running = 0;

export function begun() {
  running += 1;
  view.setAttribute("aria-busy", "true");
  let open = true;
  return () => {
    if (!open) return;
    open = false;
    running -= 1;
    // What an answer sets off, drawing or one more question, begins before a timer fires.
    if (!running) setTimeout(() => { if (!running) view.setAttribute("aria-busy", "false"); });
  };
}

export async function busy(work) {
  const end = begun();
  try { return await work; } finally { end(); }
}
