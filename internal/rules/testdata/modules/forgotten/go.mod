module example.com/m/forgotten // want `this module is not listed`
