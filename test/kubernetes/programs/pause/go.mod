module saga.example/pause

go 1.24.0
