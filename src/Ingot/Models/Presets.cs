using Ingot.Models.Bert;
using Ingot.Models.Gpt2;
using Ingot.Models.Llama;
using Ingot.Models.T5;
using Ingot.Models.Transformer;

namespace Ingot.Models;

/// <summary>Named model sizes, as published.</summary>
public static class Presets
{
    private static readonly Dictionary<string, ModelConfig> Known = new(StringComparer.OrdinalIgnoreCase)
    {
        // GPT-2 (Radford et al. 2019, table 2).
        ["gpt2-124m"] = Gpt2(12, 768, 12),
        ["gpt2-355m"] = Gpt2(24, 1024, 16),
        ["gpt2-774m"] = Gpt2(36, 1280, 20),
        ["gpt2-1.5b"] = Gpt2(48, 1600, 25),

        // nanoGPT's setting for a laptop: characters of tinyshakespeare.
        ["nanogpt-cpu"] = new Gpt2Config
        {
            VocabSize = 65,
            LayerCount = 4,
            Embedding = 128,
            Heads = 4,
            Positions = 64,
            ActivationFunction = "gelu",
        },

        // GPT-3 (Brown et al. 2020, table 2.1), in GPT-2's architecture with a context of 2,048.
        ["gpt3-125m"] = Gpt2(12, 768, 12, 2048),
        ["gpt3-350m"] = Gpt2(24, 1024, 16, 2048),
        ["gpt3-760m"] = Gpt2(24, 1536, 16, 2048),
        ["gpt3-1.3b"] = Gpt2(24, 2048, 16, 2048),
        ["gpt3-2.7b"] = Gpt2(32, 2560, 32, 2048),
        ["gpt3-6.7b"] = Gpt2(32, 4096, 32, 2048),
        ["gpt3-13b"] = Gpt2(40, 5120, 40, 2048),
        ["gpt3-175b"] = Gpt2(96, 12288, 96, 2048),

        // BERT (Devlin et al. 2019), and the smaller ones of Turc et al. 2019 (Well-Read Students Learn Better, table 1).
        ["bert-tiny"] = Bert(2, 128),
        ["bert-mini"] = Bert(4, 256),
        ["bert-small"] = Bert(4, 512),
        ["bert-medium"] = Bert(8, 512),
        ["bert-base"] = Bert(12, 768),
        ["bert-large"] = Bert(24, 1024),
        ["roberta-base"] = Roberta,
        ["roberta-large"] = Roberta with { LayerCount = 24, HiddenSize = 1024, Heads = 16, IntermediateSize = 4096 },

        // The Transformer (Vaswani et al. 2017, table 3), and the smaller ones of tensor2tensor (transformer_tiny, transformer_small).
        ["transformer-tiny"] = Transformer(2, 128, 4, 512),
        ["transformer-small"] = Transformer(2, 256, 4, 1024),
        ["transformer-base"] = Transformer(6, 512, 8, 2048),
        ["transformer-big"] = Transformer(6, 1024, 16, 4096),

        // The models of opus-mt (Tiedemann and Thottingal 2020).
        ["opus-mt"] = Transformer(6, 512, 8, 2048) with { ActivationFunction = "swish" },

        // T5 (Raffel et al. 2020, section 3.7), version 1.1 of its two smallest, and one that is trained from scratch in minutes.
        ["t5-tiny"] = T5(2, 128, 4, 512, 32),
        ["t5-small"] = T5(6, 512, 8, 2048),
        ["t5-base"] = T5(12, 768, 12, 3072),
        ["t5-large"] = T5(24, 1024, 16, 4096),
        ["t5-v1.1-small"] = T5(8, 512, 6, 1024) with { FeedForwardProjection = "gated-gelu", TieWordEmbeddings = false },
        ["t5-v1.1-base"] = T5(12, 768, 12, 2048) with { FeedForwardProjection = "gated-gelu", TieWordEmbeddings = false },

        // M2M-100 (Fan et al. 2021), and transformer-small with its norms and its tokens of languages.
        ["m2m100-small"] = M2M100(2, 256, 4, 1024),
        ["m2m100-418m"] = M2M100(12, 1024, 16, 4096),
        ["m2m100-1.2b"] = M2M100(24, 1024, 16, 8192),

        // Llama 2 (Touvron et al. 2023).
        ["llama2-7b"] = new LlamaConfig { RmsNormEpsilon = 1e-5, Positions = 4096 },
        ["llama2-13b"] = new LlamaConfig
        {
            HiddenSize = 5120,
            IntermediateSize = 13824,
            LayerCount = 40,
            Heads = 40,
            RmsNormEpsilon = 1e-5,
            Positions = 4096,
        },

        // TinyLlama (Zhang et al. 2024) and Llama 3 8B (Grattafiori et al. 2024).
        ["tinyllama-1.1b"] = new LlamaConfig
        {
            HiddenSize = 2048,
            IntermediateSize = 5632,
            LayerCount = 22,
            Heads = 32,
            KeyValueHeads = 4,
            RmsNormEpsilon = 1e-5,
        },
        ["llama3-8b"] = new LlamaConfig
        {
            VocabSize = 128256,
            HiddenSize = 4096,
            IntermediateSize = 14336,
            LayerCount = 32,
            Heads = 32,
            KeyValueHeads = 8,
            Positions = 8192,
            RmsNormEpsilon = 1e-5,
            RopeTheta = 500000,
        },

        // Qwen2 (Yang et al. 2024) and Qwen3 (Yang et al. 2025).
        ["qwen2-0.5b"] = new LlamaConfig
        {
            Flavor = LlamaFlavor.Qwen2,
            VocabSize = 151936,
            HiddenSize = 896,
            IntermediateSize = 4864,
            LayerCount = 24,
            Heads = 14,
            KeyValueHeads = 2,
            Positions = 131072,
            RopeTheta = 1e6,
            TieWordEmbeddings = true,
        },
        ["qwen2-1.5b"] = new LlamaConfig
        {
            Flavor = LlamaFlavor.Qwen2,
            VocabSize = 151936,
            HiddenSize = 1536,
            IntermediateSize = 8960,
            LayerCount = 28,
            Heads = 12,
            KeyValueHeads = 2,
            Positions = 131072,
            RopeTheta = 1e6,
            TieWordEmbeddings = true,
        },
        ["qwen3-0.6b"] = new LlamaConfig
        {
            Flavor = LlamaFlavor.Qwen3,
            VocabSize = 151936,
            HiddenSize = 1024,
            IntermediateSize = 3072,
            LayerCount = 28,
            Heads = 16,
            KeyValueHeads = 8,
            HeadDim = 128,
            Positions = 40960,
            RopeTheta = 1e6,
            TieWordEmbeddings = true,
        },
        ["qwen3-1.7b"] = new LlamaConfig
        {
            Flavor = LlamaFlavor.Qwen3,
            VocabSize = 151936,
            HiddenSize = 2048,
            IntermediateSize = 6144,
            LayerCount = 28,
            Heads = 16,
            KeyValueHeads = 8,
            HeadDim = 128,
            Positions = 40960,
            RopeTheta = 1e6,
            TieWordEmbeddings = true,
        },
    };

    /// <summary>RoBERTa base (Liu et al. 2019, table 9).</summary>
    internal static BertConfig Roberta => new()
    {
        Flavor = BertFlavor.Roberta,
        VocabSize = 50265,
        PositionRows = 514,
        TypeVocabSize = 1,
        PadTokenId = 1,
        LayerNormEpsilon = 1e-5,
    };

    /// <summary>Names of all presets.</summary>
    public static IReadOnlyCollection<string> Names => Known.Keys;

    /// <summary>The preset of that name, or null.</summary>
    public static ModelConfig? Find(string name) => Known.GetValueOrDefault(name);

    private static T5Config T5(int layers, int width, int heads, int inner, int head = 64) => new()
    {
        EncoderLayers = layers,
        DecoderLayers = layers,
        ModelWidth = width,
        Heads = heads,
        HeadSize = head,
        Inner = inner,
    };

    private static MarianConfig Transformer(int layers, int width, int heads, int inner) =>
        Sized(new MarianConfig { ActivationFunction = "relu", ScaleEmbedding = true, Positions = 512 }, layers, width, heads, inner);

    private static M2M100Config M2M100(int layers, int width, int heads, int inner) =>
        Sized(new M2M100Config(), layers, width, heads, inner);

    private static T Sized<T>(T config, int layers, int width, int heads, int inner)
        where T : TransformerConfig =>
        config with
        {
            EncoderLayers = layers,
            DecoderLayers = layers,
            ModelWidth = width,
            EncoderHeads = heads,
            DecoderHeads = heads,
            EncoderInner = inner,
            DecoderInner = inner,
        };

    private static BertConfig Bert(int layers, int width) =>
        new() { LayerCount = layers, HiddenSize = width, Heads = width / 64, IntermediateSize = 4 * width };

    private static Gpt2Config Gpt2(int layers, int width, int heads, int positions = 1024) =>
        new() { LayerCount = layers, Embedding = width, Heads = heads, Positions = positions };
}
