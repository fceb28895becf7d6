#pragma once
typedef struct cudnnContext* cudnnHandle_t;
