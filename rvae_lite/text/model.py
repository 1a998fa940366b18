"""A VAE of sentences: LSTM encoder, diagonal posterior, autoregressive LSTM decoder.

Bae et al. (2023), Section 5.2, whose set-up is that of He et al. (2019); word dropout after Bowman
et al. (2016).  Letters: B batch, K latent dimension, S samples, T tokens of the longest sentence,
F hidden units, V tokens in the vocabulary.
"""

import math
from statistics import NormalDist

import torch
from torch import Tensor, nn

from rvae_lite.gaussian import DiagonalPosterior
from rvae_lite.models.vae import PosteriorHead
from rvae_lite.text.vocabulary import END, PAD, SPECIAL, START, UNKNOWN

State = tuple[Tensor, Tensor]  # what an LSTM remembers: (h, c), each (B, F)


class Recurrent(nn.Linear):
    """The linear layer from an LSTM's h to its next pre-activations, its forget biases 1 at first.

    With 0, memory halves at every step and training starts slowly (Jozefowicz et al. 2015).
    """

    def reset_parameters(self) -> None:
        """PyTorch's start of a linear layer, but for the forget gates."""
        super().reset_parameters()
        nn.init.ones_(self.bias[self.in_features : 2 * self.in_features])


class LSTMCell(nn.Module):
    """One step of an LSTM; the parameters are those of `torch.nn.LSTMCell`, which vmap cannot map.

        i, f, g, o = W x + b + U h + d
        c' = sigmoid(f) c + sigmoid(i) tanh(g)        h' = sigmoid(o) tanh(c')

    `inputs` holds W (4F, D) and b, `recurrent` U (4F, F) and d; D is input_dim, F hidden_dim.
    """

    alone_on_cpu = True  # replicas are faster one after the other than side by side
    compiles_slowly = True  # each step becomes a piece of the compiled graph

    def __init__(self, input_dim: int, hidden_dim: int):
        super().__init__()
        self.inputs = nn.Linear(input_dim, 4 * hidden_dim)
        self.recurrent = Recurrent(hidden_dim, 4 * hidden_dim)

    def forward(self, x: Tensor, state: State) -> State:
        return self.step(self.inputs(x), state)

    def step(self, a: Tensor, state: State) -> State:
        """The next (h, c) from a = W x + b, (B, 4F), which for a whole sentence is one product."""
        h, c = state
        i, f, g, o = (a + self.recurrent(h)).chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c

    def run(self, inputs: Tensor, state: State) -> Tensor:
        """h after each word of inputs = W x + b, (B, T, 4F): (B, T, F)."""
        outputs = []
        for a in inputs.unbind(1):
            state = self.step(a, state)
            outputs.append(state[0])
        return torch.stack(outputs, dim=1)


class TextEncoder(nn.Module):
    """Tokens (B, T) to what an LSTM remembers when it has read the end token: (B, F)."""

    def __init__(self, num_tokens: int, embedding_dim: int, hidden_dim: int):
        super().__init__()
        self.embedding = nn.Embedding(num_tokens, embedding_dim)
        self.cell = LSTMCell(embedding_dim, hidden_dim)

    def forward(self, tokens: Tensor) -> Tensor:
        inputs = self.cell.inputs(self.embedding(tokens))  # (B, T, 4F)
        nothing = inputs.new_zeros(len(tokens), inputs.shape[-1] // 4)
        remembered = self.cell.run(inputs, (nothing, nothing))
        at_end = (tokens == END).to(inputs.dtype).unsqueeze(-1)  # (B, T, 1)
        return (remembered * at_end).sum(1)


class TextDecoder(nn.Module):
    """p(next token | the tokens before it, z): z sets the first state and enters every step.

    He et al. (2019) concatenate z to every word's embedding.  Here z has a linear map of its own,
    which is the same sum and can be gated by itself.
    """

    def __init__(self, num_tokens: int, latent_dim: int, embedding_dim: int, hidden_dim: int):
        super().__init__()
        self.initial = nn.Linear(latent_dim, hidden_dim)
        self.latent = nn.Linear(latent_dim, 4 * hidden_dim, bias=False)
        self.embedding = nn.Embedding(num_tokens, embedding_dim)
        self.cell = LSTMCell(embedding_dim, hidden_dim)
        self.output = nn.Linear(hidden_dim, num_tokens)

    def start(self, z: Tensor) -> tuple[State, Tensor]:
        """The first (h, c) and what z (B, K) adds at every step, (B, 4F)."""
        c = self.initial(z)
        return (c.tanh(), c), self.latent(z)

    def forward(self, words: Tensor, z: Tensor) -> Tensor:
        """Logits (B, T, V) of the token after each of words (B, T), the start token first."""
        state, added = self.start(z)
        inputs = self.cell.inputs(self.embedding(words)) + added.unsqueeze(1)  # (B, T, 4F)
        return self.output(self.cell.run(inputs, state))

    def step(self, word: Tensor, state: State, added: Tensor) -> tuple[Tensor, State]:
        """Logits (B, V) of the token after `word` (B,), and the next state."""
        state = self.cell.step(self.cell.inputs(self.embedding(word)) + added, state)
        return self.output(state[0]), state


class TextVAE(nn.Module):
    """A VAE of sentences: q(z|x) = N(mean, diag), p(x|z) = prod_t p(x_t | x_1 ... x_(t-1), z).

    An example is a row of tokens as `Vocabulary.encode` makes it.  The distortion is the sum of
    -log p over its tokens with the end token, without padding: nats per sentence.

    Args:
        num_tokens: V, the special tokens included.
        length: T, of the longest sentence with its end token.
        latent_dim: K.
        embedding_dim: of a word.
        hidden_dim: F, of both LSTMs.
        word_dropout: share of the words that the decoder reads as the unknown token in training.
        by_length: whether a training's batches hold sentences of similar length, which is faster.

    Raises:
        ValueError: a number out of range.

    Differs from the paper: no dropout of hidden units; the layers start as PyTorch's do.

    Example:
        >>> model = TextVAE(num_tokens=10, length=5, latent_dim=2)
        >>> model.encode(torch.tensor([[4, 5, 2, 0, 0]])).mean.shape
        torch.Size([1, 2])
    """

    likelihood, noise_variance, value_range = "categorical", None, None

    def __init__(
        self,
        *,
        num_tokens: int,
        length: int,
        latent_dim: int,
        embedding_dim: int = 32,
        hidden_dim: int = 64,
        word_dropout: float = 0.0,
        by_length: bool = False,
    ):
        super().__init__()
        sizes = dict(num_tokens=num_tokens, length=length, latent_dim=latent_dim)
        sizes |= dict(embedding_dim=embedding_dim, hidden_dim=hidden_dim)
        for name, value in sizes.items():
            if value < 1:
                raise ValueError(f"{name} must be positive, not {value}")
        if num_tokens <= len(SPECIAL):
            least = f"exceed the {len(SPECIAL)} special tokens"
            raise ValueError(f"num_tokens must {least}, not be {num_tokens}")
        if not 0 <= word_dropout < 1:
            share = "a share of the words, from 0 to below 1"
            raise ValueError(f"word_dropout must be {share}, not {word_dropout}")
        self.encoder = TextEncoder(num_tokens, embedding_dim, hidden_dim)
        self.head = PosteriorHead(hidden_dim, latent_dim, "diagonal")
        self.decoder = TextDecoder(num_tokens, latent_dim, embedding_dim, hidden_dim)
        self.num_tokens, self.data_shape, self.latent_dim = num_tokens, (length,), latent_dim
        self.word_dropout, self.by_length = word_dropout, by_length
        self.config = dict(network="text", **sizes, word_dropout=word_dropout)
        if by_length:  # what older releases did not have, their files do not name
            self.config["by_length"] = True

    @classmethod
    def from_config(cls, config: dict) -> "TextVAE":
        """Build the model that another one's `config` describes."""
        return cls(**{key: value for key, value in config.items() if key != "network"})

    @property
    def noise_dim(self) -> int:
        """Standard normal numbers that an example takes: K, and T more with word dropout."""
        return self.latent_dim + (self.data_shape[0] if self.word_dropout else 0)

    def layers_to_gate(self) -> list[str]:
        """What a multi-rate model gates: the ways of words and latent into and out of the LSTMs.

        The paper does not say how it gates an LSTM.  Gates on the recurrent maps cost half as much
        again and gained nothing.  Gates on the posterior's head let it fall back to the prior and
        widened the range of rates; the authors leave them out in networks for images.
        """
        encoder = ["encoder.cell.inputs", "head.linear"]
        return encoder + ["decoder.initial", "decoder.latent", "decoder.cell.inputs"]

    def encode(self, x: Tensor) -> DiagonalPosterior:
        """The posterior q(z|x) of tokens x (B, T)."""
        return self.head(self.encoder(x))

    def distortion_and_rate(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """-log p(x|z) at one posterior sample and KL(q(z|x) || N(0, I)), in nats, each (B,).

        x: tokens (B, T), of which training mode drops some; noise: standard normal, (B, noise_dim).
        """
        posterior = self.encode(x)
        z = posterior.sample(noise[:, : self.latent_dim])
        words = _shifted(x)
        if self.training and self.word_dropout:
            below = NormalDist().inv_cdf(self.word_dropout)  # P(noise < below) = word_dropout
            own = noise[:, self.latent_dim : self.latent_dim + x.shape[1]]
            dropped = (own < below) & (words != START)
            words = torch.where(dropped, UNKNOWN, words)
        return self._nll(x, words, z), posterior.kl_divergence()

    def distortion(self, x: Tensor, z: Tensor) -> Tensor:
        """-log p(x|z) in nats, summed over a sentence's tokens: x (B, T), z (B, K) give (B,)."""
        return self._nll(x, _shifted(x), z)

    def _nll(self, x: Tensor, words: Tensor, z: Tensor) -> Tensor:
        logits = self.decoder(words, z)
        chosen = logits.gather(-1, x.unsqueeze(-1)).squeeze(-1)  # (B, T)
        return ((logits.logsumexp(-1) - chosen) * (x != PAD)).sum(-1)

    def importance_bound(self, x: Tensor, noise: Tensor) -> Tensor:
        """-log of the mean over S samples of p(x|z) p(z) / q(z|x), in nats, (B,).

        On average above -log p(x), but less than distortion + rate (Burda et al. 2016, Eq. 8).
        x: tokens (B, T); noise: standard normal, (S, B, K).
        """
        posterior, log_weights = self.encode(x), []
        for own in noise:
            z = posterior.sample(own)
            # log p(z) - log q(z|x), the constants of the two normal densities cancel
            log_ratio = (0.5 * (own.square() - z.square()) + posterior.log_scale).sum(-1)
            log_weights.append(log_ratio - self.distortion(x, z))
        return math.log(len(noise)) - torch.stack(log_weights).logsumexp(0)

    def squared_error(self, x: Tensor) -> Tensor:
        """Words have no squared error: NaN for each of x (B, T)."""
        dtype = next(self.parameters()).dtype
        return torch.full((len(x),), torch.nan, dtype=dtype, device=x.device)

    def decode(self, z: Tensor) -> Tensor:
        """The sentence of the likeliest token at every step: z (B, K) gives tokens (B, T)."""
        return self._written(z, lambda logits, t: logits.argmax(-1))

    def draw(self, z: Tensor, noise: Tensor) -> Tensor:
        """Sentences (B, T) from p(x|z), by inversion: z (B, K), uniform noise in [0, 1), (B, T)."""

        def drawn(logits: Tensor, t: int) -> Tensor:
            below = logits.softmax(-1).cumsum(-1) <= noise[:, t, None]
            return below.sum(-1).clamp(max=self.num_tokens - 1)

        return self._written(z, drawn)

    def _written(self, z: Tensor, select) -> Tensor:
        """Tokens (B, T), each one that `select` takes from the logits (B, V) after the others."""
        state, added = self.decoder.start(z)
        word = torch.full((len(z),), START, device=z.device)
        never = torch.zeros(self.num_tokens, dtype=z.dtype, device=z.device)
        never[[PAD, START]] = -torch.inf
        ended, tokens = torch.zeros_like(word, dtype=torch.bool), []
        for t in range(self.data_shape[0]):
            logits, state = self.decoder.step(word, state, added)
            word = torch.where(ended, PAD, select(logits + never, t))
            ended = ended | (word == END)
            tokens.append(word)
        return torch.stack(tokens, dim=1)


def _shifted(x: Tensor) -> Tensor:
    """What the decoder reads: the start token, then x (B, T) but its last."""
    return torch.cat([torch.full_like(x[:, :1], START), x[:, :-1]], dim=1)
