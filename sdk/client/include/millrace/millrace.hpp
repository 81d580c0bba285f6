// All of the library. `import millrace;` gives the same types.
#pragma once
#include "millrace/bytes.hpp"
#include "millrace/config.hpp"
#include "millrace/error_code.hpp"
#include "millrace/future.hpp"
#include "millrace/json.hpp"
#include "millrace/options.hpp"
#include "millrace/producer.hpp"
#include "millrace/record.hpp"
#include "millrace/result.hpp"
#include "millrace/serializers.hpp"
#include "millrace/typed.hpp"
#include "millrace/uuid.hpp"
