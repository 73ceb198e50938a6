// The views of the page. A further one is a module that exports `create()`, and a row here.
//
// `create()` makes the view once and answers `{node, show(route), hide()}`: `show` whenever its address is opened,
// `hide` (if it has one) when another is. What runs in a view goes on while another is looked at.

export const VIEWS = [
  { name: "chat", title: "Chat", icon: "chat", load: () => import("./views/chat.js") },
  { name: "playground", title: "Playground", icon: "play", load: () => import("./views/playground.js") },
  { name: "grade", title: "Grade", icon: "check", load: () => import("./views/grade.js") },
  { name: "sessions", title: "Sessions", icon: "cells", load: () => import("./views/sessions.js") },
  { name: "tasks", title: "Tasks", icon: "tasks", load: () => import("./views/tasks.js") },
  { name: "runs", title: "Runs", icon: "history", load: () => import("./views/runs.js") },
  { name: "datasets", title: "Datasets", icon: "data", load: () => import("./views/datasets.js") },
  { name: "status", title: "Status", icon: "pulse", load: () => import("./views/status.js") },
];
