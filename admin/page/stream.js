// The live connection. The browser opens it again by itself. After a restart of the service the page starts again. A
// hidden page closes it, because a browser has only six connections to a service, for all of its tabs.

let source = null;

function connect() {
  if (source) source.close();
  source = new EventSource("/calls/stream");
  const own = source;
  own.addEventListener("hello", event => {
    const hello = JSON.parse(event.data);
    if (store.instance && store.instance !== hello.instance) {
      store.calls.clear();
      store.held.clear();
    }
    Object.assign(store, {instance: hello.instance, size: hello.size});
    byID("service").textContent = hello.service || "Parley";
    document.title = (hello.service || "Parley") + " · calls";
    connection("live");
    draw();
  });
  own.addEventListener("calls", event => {
    const calls = JSON.parse(event.data);
    receive(calls);
    if (!store.paused && selected.trace && calls.some(c => c.trace_id === selected.trace)) reopen();
    draw();
  });
  own.addEventListener("error", () => {
    connection("lost");
    if (own.readyState !== EventSource.CLOSED) return; // it tries again by itself
    setTimeout(() => { if (source === own) connect(); }, 3000);
  });
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return connect();
  source.close();
  source = null;
});

function connection(state) {
  const link = byID("link");
  link.className = "link " + state;
  link.textContent = state === "lost" ? "disconnected" : state;
}

// reopen fetches the opened call again, at most twice a second.
let reopening = 0;
function reopen() {
  if (reopening) return;
  reopening = setTimeout(() => {
    reopening = 0;
    if (selected.trace) open(selected.trace, selected.span);
  }, 500);
}
