module example.com/m/listed
