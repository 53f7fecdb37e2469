using Ingot.Tokenizers.Decoders;
using Ingot.Tokenizers.Models;
using Ingot.Tokenizers.Normalizers;
using Ingot.Tokenizers.PostProcessors;
using Ingot.Tokenizers.PreTokenizers;

namespace Ingot.Tokenizers;

/// <summary>All that a tokenizer is made of, in the order in which a text meets it; what is null is passed over. Immutable.</summary>
internal sealed record TokenizerParts
{
    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    public Normalizer? Normalizer { get; init; }

    public PreTokenizer? PreTokenizer { get; init; }

    public required TokenModel Model { get; init; }

    public PostProcessor? PostProcessor { get; init; }

    public TokenDecoder? Decoder { get; init; }

    /// <summary>What tokenizer.json asks for; texts are cut only if their encoder is asked to.</summary>
    public TruncationOptions? Truncation { get; init; }

    /// <summary>What tokenizer.json asks for; texts are filled up only if their encoder is asked to.</summary>
    public PaddingOptions? Padding { get; init; }

    public SpecialTokenRoles Roles { get; init; } = new();

    /// <summary>
    /// What writes the texts of an encoder-decoder whose two sides have different pieces under the same ids; null where one does for both.
    /// </summary>
    public TokenizerParts? Target { get; init; }

    /// <summary>The other members of tokenizer_config.json, as JSON.</summary>
    public IReadOnlyList<(string Name, string Json)> Settings { get; init; } = [];

    /// <summary>
    /// The tokens by id: those of the model, and the added ones on top. Ids are 0 … n − 1, each once, and a token has one id.
    /// </summary>
    /// <exception cref="InvalidDataException">They are not.</exception>
    public string[] TokensById()
    {
        var vocabulary = Model.Vocabulary;
        var byId = vocabulary.Ids.Zip(vocabulary.Tokens).ToDictionary(token => token.First, token => token.Second);
        var added = new HashSet<string>(StringComparer.Ordinal);
        foreach (var token in AddedTokens)
        {
            var known = vocabulary.Find(token.Content);
            if (!added.Add(token.Content) || (known >= 0 && known != token.Id)
                || byId.GetValueOrDefault(token.Id, token.Content) != token.Content)
            {
                throw new InvalidDataException(
                    $"The added token \"{token.Content}\" has the id {token.Id}, which contradicts the other tokens.");
            }

            byId[token.Id] = token.Content;
        }

        var tokens = new string[byId.Count];
        foreach (var (id, token) in byId)
        {
            if (id >= tokens.Length)
            {
                throw new InvalidDataException(
                    $"The ids of the {tokens.Length} tokens are not 0 … {tokens.Length - 1}, each once: \"{token}\" has {id}.");
            }

            tokens[id] = token;
        }

        return tokens;
    }
}
