module example.com/m

replace example.com/other => ../other // want `the root module has a replace`
