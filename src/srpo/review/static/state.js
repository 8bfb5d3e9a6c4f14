// What the page holds: the session, the item that is open, and the decision that is being made.

export const page = {
  session: null, // fixed: plan, categories, names of cells and steps
  numbers: [], // items that fit the filters, in the queue's order
  item: null, // the open item as it was last sent
  form: null, // the decision that is being made on it
  uncovered: false, // sensitive parts are shown
  whole: null, // all cells of the set, if they are shown beside each other
  since: 0, // when the item was opened, in milliseconds
};

// Words by step; a step of the data may be called like anything, even like a property that all objects have.
export const byStep = (words) => Object.assign(Object.create(null), words);

// A fresh form, filled from the own vote if there is one.
export function newForm(item) {
  const own = item.own, edit = own?.edit;
  return {
    steps: byStep(edit?.steps),
    question: edit?.question ?? null,
    category: edit?.category ?? null,
    safety: own?.safety ?? null, difficulty: own?.difficulty ?? null, informativeness: own?.informativeness ?? null,
    first_wrong_step: own?.first_wrong_step ?? null,
    note: own?.note ?? "",
    open: new Set(), // steps whose editor is open
  };
}

// The edit of the form against the original; null if nothing is changed.
export function editOf(form, item) {
  const steps = byStep();
  for (const step of item.steps) {
    const words = form.steps[step.name];
    if (words !== undefined && words.trim() !== step.text) steps[step.name] = words.trim();
  }
  const question = form.question !== null && form.question.trim() !== item.question.trim() ? form.question.trim() : null;
  const category = form.category !== null && form.category !== item.category ? form.category : null;
  return Object.keys(steps).length || question !== null || category !== null ? { question, category, steps } : null;
}

// True if leaving the item now would lose something.
export function isTouched(form, item) {
  if (!form || !item) return false;
  const strip = ({ open, ...rest }) => JSON.stringify({ ...rest, steps: undefined, question: undefined, category: undefined, edit: editOf(form, item) });
  const fresh = newForm(item);
  const was = JSON.stringify({ ...JSON.parse(strip(fresh)), edit: editOf(fresh, item) });
  return strip(form) !== was;
}
