"""Estimators for scikit-learn: the main job behind its interface. They come with the extra `[sklearn]`."""

try:
    from sklearn import callback as _  # noqa: F401  # of 1.9 and newer
except ImportError as error:
    raise ImportError(
        f"preceptor.sklearn: {error}; scikit-learn 1.9 or newer is required. "
        "Install it: python -m pip install 'preceptor[sklearn]'"
    ) from None

from preceptor.sklearn.estimators import NetworkClassifier, NetworkRegressor

__all__ = ["NetworkClassifier", "NetworkRegressor"]
