// The live connection. It comes back by itself; when the service has been restarted the page begins anew.

function connect() {
  const source = new EventSource("/calls/stream");
  source.addEventListener("hello", event => {
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
  source.addEventListener("calls", event => {
    const calls = JSON.parse(event.data);
    receive(calls);
    if (!store.paused && selected.trace && calls.some(c => c.trace_id === selected.trace)) reopen();
    draw();
  });
  source.addEventListener("error", () => {
    connection("lost");
    if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
    source.close();
    setTimeout(connect, 3000);
  });
}

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
