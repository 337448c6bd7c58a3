'use strict';
(() => {
  const all = (selector, of = document) => [...of.querySelectorAll(selector)];

  // Digests are copied where the browser lets us.
  if (navigator.clipboard) {
    for (const button of all('button[data-copy]')) {
      const label = button.firstChild;
      button.hidden = false;
      button.addEventListener('click', async () => {
        try {
          await navigator.clipboard.writeText(button.dataset.copy);
          label.data = 'Copied';
        } catch {
          getSelection().selectAllChildren(button.previousElementSibling);
          label.data = 'Selected';
        }
        setTimeout(() => { label.data = 'Copy'; }, 2000);
      });
    }
  }

  // A link into something folded unfolds it.
  const unfold = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.localName === 'details') target.open = true;
  };
  addEventListener('hashchange', unfold);
  unfold();

  // On paper everything is unfolded, and as it was afterwards.
  let folded = [];
  addEventListener('beforeprint', () => {
    folded = all('details:not([open])');
    for (const details of folded) details.open = true;
  });
  addEventListener('afterprint', () => {
    for (const details of folded) details.open = false;
    folded = [];
  });

  // The history, by stage and by what was done.
  const form = document.querySelector('form.filter');
  if (!form) return;
  form.hidden = false;
  const months = all('details.month').map((month) => ({
    month, rows: all('tbody tr', month), count: month.querySelector('.count'), wasOpen: month.open,
  }));
  const said = (count) => `${count.toLocaleString('en')} ${count === 1 ? 'entry' : 'entries'}`;
  const filter = () => {
    const stage = form.elements.stage.value;
    const kind = form.elements.kind.value;
    let total = 0;
    let open = 0;
    for (const { month, rows, count, wasOpen } of months) {
      let shown = 0;
      for (const row of rows) {
        const fits = (!stage || row.dataset.s === stage) && (!kind || row.dataset.k === kind);
        row.hidden = !fits;
        if (fits) shown += 1;
      }
      month.hidden = shown === 0;
      count.textContent = said(shown);
      month.open = stage || kind ? open < 40 && shown > 0 : wasOpen;
      open += shown;
      total += shown;
    }
    form.querySelector('output').textContent = stage || kind ? said(total) : '';
  };
  form.addEventListener('change', filter);
  form.addEventListener('submit', (event) => event.preventDefault());
})();
