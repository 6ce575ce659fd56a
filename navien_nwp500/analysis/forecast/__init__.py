"""When the water is hot: forecasts of one status with their bands, and what recordings teach them.

``status_forecast`` makes a forecast with the figures of ``learned``; ``learning`` (which alone needs
pandas) fits them. The heater and its tank are ``analysis.heater_model`` and ``analysis.two_zone``.
"""

from .forecast_result import Bands, Forecast, Situation
from .status_forecast import forecast

__all__ = ["Bands", "Forecast", "Situation", "forecast"]
