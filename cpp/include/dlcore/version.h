#pragma once
#define DLCORE_VERSION "0.1.0"
