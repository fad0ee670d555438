import { useEffect } from "react";
import { Route, Router, Switch } from "wouter";

import { openSession, useSession } from "./api/session";
import { PageTitle } from "./components/PageTitle";
import { startLive, stopLive } from "./live/store";
import { ModelPage, PAGES } from "./pages";
import { Shell } from "./shell/Shell";
import { SignIn } from "./shell/SignIn";
import { Toasts } from "./shell/Toasts";
import { UploadDrop } from "./upload/UploadDrop";

/** The sign-in, or the pages. */
export function App() {
  const status = useSession((state) => state.status);
  useEffect(() => void openSession(), []);
  if (status === "asking") return null;
  return status === "signed-in" ? <Pages /> : <SignIn />;
}

function Pages() {
  const session = useSession((state) => state.session);
  useEffect(() => {
    startLive();
    return stopLive;
  }, []);
  const seen = PAGES.filter((page) => session?.scopes.includes(page.needs));
  return (
    <Router base="/ui">
      <Shell>
        <Switch>
          <Route path="/models/:model">{({ model }) => <ModelPage key={model} model={decodeURIComponent(model)} />}</Route>
          {seen.map(({ path, component }) => (
            <Route key={path} path={path} component={component} />
          ))}
          <Route>
            <PageTitle title="Nothing here" about="There is no such page, or this key may not see it." />
          </Route>
        </Switch>
      </Shell>
      {session?.features.upload && session.scopes.includes("admin") && <UploadDrop />}
      <Toasts />
    </Router>
  );
}
