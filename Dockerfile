# The service alone: CPU only, no compiler, not root. Mount models at /models.
FROM python:3.11-slim
RUN useradd --create-home likewise && mkdir /feedback && chown likewise /feedback
COPY pyproject.toml constraints.txt README.md LICENSE CHANGELOG.md CITATION.cff /app/
COPY src /app/src
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -c /app/constraints.txt '/app[serve,sql]'
USER likewise
ENV LIKEWISE_MODEL=/models/main LIKEWISE_ROOT=/models LIKEWISE_HOST=0.0.0.0 LIKEWISE_PORT=8000 LIKEWISE_DATABASE=sqlite:////feedback/feedback.db
EXPOSE 8000
HEALTHCHECK CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/ready', timeout=3)"
CMD ["likewise", "serve"]
