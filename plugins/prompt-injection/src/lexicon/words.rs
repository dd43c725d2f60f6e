//! The anchor words, by what they do in a sentence.
//!
//! Words of a group are separated by `|`; `*` at the end stands for any further letters. They are folded like the text
//! before they are compiled, so accents and capitals may be written as usual. A word may stand in several groups.
//! The file is one list, and long because the languages are many.

use super::class::*;

/// Groups: what the words are, a weight where words of that kind have one (per cent), the words.
pub(super) const GROUPS: &[(u64, u8, &str)] = &[
    // To set instructions aside.
    (
        DROP,
        0,
        "ignore|disregard|forget|overrule|disobey|unlearn|throw away|throw out|\
        pay no attention to|do not follow|don't follow|dont follow|not obey|don't obey|stop following|stop obeying|no longer follow|\
        not adhere to|cease following",
    ),
    (
        DROP | MILD,
        0,
        "ignoring|disregarding|bypass|override|circumvent|discard|neglect|abandon|set aside|skip over|drop|erase|revoke|dismiss|\
        put aside|lay aside|leave aside|scrap|break free from|break free of|violate|unset|overwrite|renounce",
    ),
    (
        DROP,
        0,
        "ignorier*|vergiss|vergessen sie|vergesst|missacht*|umgeh*|ignorez|oublie|oubliez|ignora|ignoren|ignorad|ignoras|\
        olvida|olvide|olviden|olvídate de|descarta|omite|esqueça|esqueca|esquece|desconsidere|desconsidera|descarte|ignorate|\
        dimentica|dimenticate|trascura|tralascia|ignorare|negeer|vergeet|zignoruj|zapomnij",
    ),
    (
        DROP,
        0,
        "игнорируй*|проигнорируй*|забудь*|отбрось*|не следуй*|不要理会|忽略|无视|無視|忘记|忘記|忘掉|忽视|忽視|不要遵守|\
        抛弃|忘れ|従わない|무시|잊어|تجاهل|नजरअंदाज",
    ),
    (
        VOID,
        0,
        "are void|are now void|are null|are cancelled|are canceled|no longer apply|are no longer valid|should be ignored|\
        must be ignored|are overridden|are revoked|do not apply|don't apply|have been replaced|are superseded|are obsolete|\
        can be ignored|are to be ignored|are outdated|were a test|has been revoked|have been revoked|is void|are suspended|\
        are hereby|be disregarded|is cancelled|is no longer valid|außer kraft|ne sont plus valables|ya no son válidas",
    ),
    // Which ones.
    (
        PRIOR,
        0,
        "previous|previously|prior|above|earlier|preceding|foregoing|before|so far|until now|\
        up to now|until this point|up to this point|aforementioned|prev|last",
    ),
    (
        PRIOR,
        0,
        "vorherig*|bisherig*|vorig*|obig*|früher*|vorangegangen*|vorstehend*|zuvor|précédent*|antérieur*|ci-dessus|\
        anterior*|previa*|previo*|prévi*|de arriba|acima|precedent*|sopra|vorige|eerdere|poprzedni*",
    ),
    (
        PRIOR,
        0,
        "предыдущ*|прежн*|предшествующ*|выше|ранее|之前|以前|上面|上述|先前|前面|此前|これまで|前の|上記|先ほど|이전|앞선|السابقة|पिछले",
    ),
    (OWN | YOURS, 0, "your|ur"),
    (
        OWN,
        0,
        "system|hidden|developer|developer's|openai|openai's|anthropic|anthropic's|programmed|preset|built-in|pre-programmed",
    ),
    (
        ADJECTIVE | SAFETY,
        0,
        "safety|ethical|content|moderation|security|ethics",
    ),
    (
        ADJECTIVE,
        0,
        "existing|former|past|initial|original|default|core|internal|usual|standard|strict|useless|old|silly",
    ),
    (
        OWN | YOURS,
        0,
        "dein*|ihre|ihren|votre|vos|tes|ton|tu|tus|sus|seu|seus|sua|suas|teu|teus|tuas|tuo|tuoi|tua|tue|vostre|vostri|\
        твои|свои|твой|свой|твою|свою|ваши|вашу|ваш|你的|您的|你被|系统|系統|あなたの|あなたに|システム|당신의|시스템",
    ),
    (
        GIVEN,
        0,
        "you were given|they gave you|they told you|you were handed|was given to you|were given to you|you have been given|you've been given|you have received|you received|given to you|\
        you were told|you have been told|you've been told|you were instructed|you have been instructed|you follow|you have|\
        provided to you|you were trained|you got|you know|you learned|you've received|you were provided|you've got|in your system|from your|from the system|\
        from openai|from your developers|by your developers|by the developer|that bind you|that govern you",
    ),
    (
        ALL,
        0,
        "all|any|every|each|entire|alle|aller|allen|sämtliche*|tout|toute|toutes|tous|todas|todos|toda|tutte|tutti|все|всех|\
        所有|一切|全部|任何|すべて|全て|全ての|모든|जميع|كل|सभी",
    ),
    (
        EVERYTHING,
        0,
        "everything|anything|all of the above|all the above|all that|alles|tout ce|todo lo|tudo|tutto|всё|все что|一切|全部",
    ),
    (
        RULES,
        0,
        "instruction*|instrution*|instrucion*|prompt|prompts|directive*|directions|\
        guideline*|guidance|system message*",
    ),
    (
        RULES | OWN,
        0,
        "user's request|user's instruction*|user's question|user's task|user's query|user request|task the user gave|user's prompt|user's original request",
    ),
    (
        RULES | SOFT,
        0,
        "rule|rules|ruleset|command|commands|constraint*|restriction*|programming|training|safeguards|guardrails|orders|\
        protocols|limitations|policies|safety measures|safety protocols",
    ),
    (
        RULES,
        0,
        "anweisung*|instruktion*|regel|regeln|vorgabe*|richtlinie*|befehl*|consigne*|règle|règles|instrucci*|indicacion*|\
        regla|reglas|directric*|directiva*|instruç*|instruco*|regra|regras|diretriz*|istruzion*|regola|regole|direttiv*|instructies|\
        instrukcj*|polecenia",
    ),
    (
        RULES,
        0,
        "инструкци*|указани*|правил*|команд*|指令|指示|规则|規則|提示词|提示|命令|要求|限制|约束|ルール|プロンプト|命令|制約|\
        지시*|지침*|명령*|التعليمات|निर्देश*",
    ),
    (
        MINE,
        0,
        "my|our|mine|i said|i gave|i sent|i wrote|we discussed|we talked|we said|i told|i asked|we've|i made|i just",
    ),
    (
        INSTEAD,
        0,
        "instead|new instructions|new task|from now on|and say|and respond|and reply|and answer|and act|\
        then say|only say|just say|and start|just write|just answer|just do|stattdessen|à la place|en su lugar|em vez disso|invece|\
        вместо|而是|代わりに|und sag*|et dis|y di|e diga|и скажи|并|然后",
    ),
    (
        INSTEAD | REVEAL,
        0,
        "and output|and tell|and print|and write|and give|and show|and repeat|and display|then print|then output|then show|then tell|then repeat|\
        und gib|und zeig|y dime|y muestra|y muéstrame|et montre|et affiche|e dimmi|e mostrami|e mostre|и покажи|и выведи",
    ),
    (
        INSTEAD | REVEAL | STRONG,
        0,
        "and reveal|and disclose|and leak|and dump|then reveal|y revela|e revele|e rivela|et révèle|и раскрой",
    ),
    (
        INSTEAD | SEND,
        0,
        "and send|and forward|and post|and upload",
    ),
    (
        NEWRULES,
        40,
        "your new instructions|new instructions:|new instructions are|here are your new|new system prompt|your new task is|\
        your real instructions|your real task|your actual task|your true purpose|updated instructions from|new directive:|\
        new rules:|your only instruction|admin override|system override|override code|emergency override|your new goal|your new objective|your new job|your real goal|new primary objective|your only task|priority override|manual override:|sudo mode|root access granted",
    ),
    // To bring out what was said before.
    (
        REVEAL,
        0,
        "print|repeat|show|display|output|tell|give|share|recite|write|copy|send|paste|spell|echo|return|provide|list|\
        quote|translate|summarize|summarise|read me|read out|encode|state|describe|present|include|put|convert|rewrite|reproduce|\
        tell me|give me|show me|begin your reply with|begin your answer with|begin your response with|start your reply with|\
        start your answer with|start your response with",
    ),
    (
        REVEAL | STRONG,
        0,
        "reveal|leak|dump|disclose|expose|divulge|exfiltrate|extract|unveil|verrate*|revela|révèle|révélez|revele|rivela|\
        раскрой*|透露|泄露|洩露",
    ),
    (
        REVEAL,
        0,
        "zeig|zeige|zeigen|gib|nenne|wiederhol*|schreib*|montre|montrez|affiche|affichez|répète|répétez|donne|donnez|dis-moi|\
        muestra|muestre|muéstrame|repite|imprime|dime|escribe|dame|mostre|mostra|repita|diga|escreva|mostrami|ripeti|stampa|scrivi|dimmi|\
        покажи*|выведи*|повтори*|напиши*|скажи*|显示|顯示|输出|輸出|告诉|告訴|重复|重複|打印|列出|表示|出力|教えて|見せて|繰り返|開示|보여|출력|알려|말해",
    ),
    (
        ASK,
        0,
        "what is|what's|whats|what are|what were|what was|was ist|was sind|wie lautet|wie lauten|quel est|quelles sont|quel|cuál es|\
        cuáles son|qual é|quais são|qual è|quali sono|какой у|какие|是什么|是什麼|何ですか|무엇",
    ),
    (
        SYSPROMPT | RULES | OWN,
        0,
        "system prompt|system prompts|system-prompt|systemprompt|system_prompt|sysprompt|system message|system instruction*|\
        initial prompt|initial instruction*|original prompt|original instruction*|hidden prompt|hidden instruction*|\
        secret instruction*|secret prompt|internal instruction*|confidential instruction*|developer message|developer prompt|\
        developer instruction*|pre-prompt|preprompt|base prompt|starting prompt|first prompt|underlying prompt|\
        initialization prompt|custom instructions|meta prompt|metaprompt",
    ),
    (
        SYSPROMPT | RULES | OWN,
        0,
        "systemanweisung*|system-anweisung*|prompt système|prompt systeme|instructions système|instructions initiales|\
        message système|prompt del sistema|prompt de sistema|instrucciones del sistema|instrucciones iniciales|mensaje del sistema|\
        prompt do sistema|instruções do sistema|instruções iniciais|prompt di sistema|istruzioni di sistema|istruzioni iniziali|\
        системный промпт|системного промпта|системную инструкцию|системные инструкции|системную подсказку|начальные инструкции|\
        系统提示词|系统提示|系统指令|系統提示|初始指令|初始提示|システムプロンプト|初期指示|시스템 프롬프트",
    ),
    (
        ABOVE | EVERYTHING | PRIOR,
        0,
        "words above|text above|everything above|content above|above text|sentences above|message above|messages above|\
        conversation above|paragraph above|all the words|above verbatim|all of the above text|lines above|text before this|\
        everything before this|all the text",
    ),
    (
        VERBATIM,
        0,
        "verbatim|word for word|word-for-word|exactly as|in full|in its entirety|full text|entire|complete|completely|starting with|\
        beginning with|begins with|starts with|begin with|you are chatgpt|you are gpt|you are claude|code block|codeblock|character by character|\
        letter by letter|without changes|wörtlich|wort für wort|mot pour mot|palabra por palabra|literalmente|textualmente|palavra por palavra|\
        parola per parola|дословно|слово в слово|逐字|原样|原封不动|一字一句|一字不漏|そのまま|그대로|unmodified|exact|in base64|backwards|full",
    ),
    // To be someone else.
    (
        ASSUME,
        0,
        "you are now|you're now|youre now|ur now|from now on you|from now on, you|act as|act like|acting as|pretend|roleplay as|role-play as|\
        role play as|simulate|imagine you|imagine that you|behave as|behave like|you will act|you are going to|respond as|answer as|\
        you shall be|you will be|become|enter|entering|switch to|switching to|activate|you have been freed|you are no longer|\
        you've been|you are in|you're in|now in|transform into|become an|du bist jetzt|du bist nun|ab jetzt bist du|\
        tu es maintenant|vous êtes maintenant|fais comme si|ahora eres|a partir de ahora eres|actúa como|finge|você agora é|agora você é|aja como|\
        finja|ora sei|adesso sei|fai finta|ты теперь|теперь ты|притворись|你现在是|你現在是|假装|假設你|扮演|从现在开始|あなたは今から|ふりをして|\
        너는 이제|you must act|hypothetical response as|you are an|you are a|you possess",
    ),
    (
        PERSONA | ASSUME,
        0,
        "you have no restrictions|you have no rules|you have no limits|you have no limitations|you have no filters|you have no filter|\
        you have no guidelines|you have no constraints|you don't have any restrictions|you do not have any restrictions|you have no ethical|\
        you don't have restrictions|you don't have any rules|you have no moral|you have no boundaries|you have no content",
    ),
    (
        PERSONA,
        0,
        "do anything now|unrestricted|unbounded|unshackled|unfiltered|uncensored|jailbroken|jailbreak mode|god mode|amoral|without restrictions|\
        without any restrictions|no restrictions|no rules|no limits|no limitations|no filters|no ethical|no moral|no content policy|\
        no guidelines|freed from|broken free|not bound by|no longer bound|free from all|free of all|no longer restricted|without limitations|\
        without any filters|without filters|without censorship|no censorship|without any ethical|without ethical|without any rules|\
        no safety|without safety|no boundaries|no longer limited|evil confidant|no constraints|without constraints|\
        any restrictions|any rules or|any limitations|no content filters|dan mode|anarchy mode|opposite mode|no longer an ai|\
        not have to abide|any ethical|ohne einschränkungen|ohne regeln|keine einschränkungen|keine regeln|sans restriction*|sans aucune restriction*|\
        aucune restriction|sans limites|sin restricciones|sin ninguna restricción|sin límites|sem restrições|sem nenhuma restrição|sem limites|senza restrizioni|\
        senza limiti|без ограничений|没有限制|没有任何限制|不受限制|不受任何限制|無限制|制限のない|制限なし|제한 없는|제한이 없는",
    ),
    (
        DEVMODE,
        0,
        "developer mode|dev mode|debug mode|maintenance mode|admin mode|administrator mode|diagnostic mode|unrestricted mode|entwicklermodus|\
        mode développeur|modo desarrollador|modo de desarrollador|modo desenvolvedor|modalità sviluppatore|режим разработчика|开发者模式|開発者モード|개발자 모드",
    ),
    (DAN, 0, "dan"),
    (
        AINAME,
        0,
        "chatgpt|gpt-4|gpt|claude|gemini|llama|assistant|language model|llm|ai|chatbot|ai model|you are|you're|you|du bist|tu es|estás|你|너",
    ),
    (
        REFUSE,
        30,
        "never refuse|cannot refuse|can't refuse|not refuse|must comply|no disclaimers|without disclaimers|without any disclaimers|\
        no warnings|never say no|not allowed to refuse|comply with every|comply with any|comply with all|answer any question without|\
        never say that you can't|without any warnings|no refusals|refusals are|stay in character",
    ),
    (
        OBEY,
        0,
        "follow|execute|obey|comply|carry out|perform|act on|do what|run it|do as it|do exactly",
    ),
    (
        DECODE,
        0,
        "decode|base64|rot13|hex string|decrypt|reverse the",
    ),
    (
        MUST,
        0,
        "must|should|please|have to|need to|do not|don't|shall|required to|immediately|always|never|execute|call|you will|you are to|run",
    ),
    // Marks between the turns of a conversation.
    (
        MARKER,
        78,
        "<¦im_start¦>|<¦im_end¦>|<¦im_sep¦>|<¦system¦>|<¦start_header_id¦>|<¦end_header_id¦>|<¦eot_id¦>|<¦begin_of_text¦>|<¦endofprompt¦>|\
        <¦start¦>system|<¦start¦>developer|<¦channel¦>|<<sys>>|<</sys>>|[/inst]|<start_of_turn>|<end_of_turn>|<¦user¦>|<¦assistant¦>",
    ),
    (
        MARKER,
        62,
        "<¦endoftext¦>|begin system prompt|end system prompt|end of system prompt|begin new system prompt|start of system prompt|\
        [system message]|[system prompt]|[system override]|[system_override]|### system:|### system prompt|###system|## system:|# system:|end of user input|\
        end of user message|end of prompt]|end of instructions]|[end of context]|</user_input>|</user_query>|</untrusted>|</tool_result>|</tool_response>|\
        </function_results>|begin admin|system prompt update|<¦end¦>",
    ),
    (WEAK, 35, "system override:|admin override:"),
    (WEAK, 25, "[inst]|[admin]|[developer]"),
    (
        WEAK,
        25,
        "</system>|<system>|[system]|<system_prompt>|</system_prompt>|<system-prompt>|<instructions>|</instructions>|\
        \"role\":\"system\"|\"role\": \"system\"|'role': 'system'|\"role\":\"developer\"|\"role\": \"developer\"|### instruction:|system:|\
        <important>|[important]|</context>|</document>|</data>|<admin>|system message:|developer message:|---system|=== system",
    ),
    (
        TOKENTALK,
        0,
        "token|tokens|tokenizer|tokeniser|chat template|chatml|template|jinja|prompt format|fine-tun*|finetun*|dataset|special token*|\
        delimiter|separator|llama.cpp|vocab*|transformers",
    ),
    // To carry data out.
    (IMAGE, 0, "![|<img"),
    (
        SEND,
        0,
        "send|post|forward|upload|transmit|exfiltrate|email|submit|append|include|encode|leak|embed|pass|put|sende|schick*|envoie|envoyez|\
        envía|envia|enviar|invia|отправь*|发送|傳送|送信|보내",
    ),
    (
        CHAT,
        0,
        "this conversation|the conversation|entire conversation|conversation history|chat history|full conversation|conversation so far|\
        previous messages|user's messages|all messages|conversation data|user data|user's data|user's personal|user's private|the above text|\
        system prompt|chat log|session data|summary of the conversation|conversation summary|whole conversation|unterhaltung|gesprächsverlauf|\
        conversación|conversa|conversazione|историю чата|переписку|对话|聊天记录|会話|대화",
    ),
    (
        SECRETS,
        0,
        "api key|api keys|api_key|access token|access tokens|credential*|secrets|password|passwords|private key|private keys|ssh key|\
        environment variables|env vars|session token|cookies|user's email*|user's files|credit card|their password",
    ),
    (
        PATHS,
        35,
        ".ssh/id_rsa|.ssh/id_ed25519|/etc/passwd|/etc/shadow|mcp.json|.aws/credentials|.env file|wallet.dat|.git-credentials",
    ),
    (
        DEST,
        0,
        "http://|https://|webhook|attacker|www.|ftp://|.ngrok|@evil",
    ),
    // To speak to the model behind the reader's back.
    (
        COVERT,
        55,
        "do not tell the user|don't tell the user|do not inform the user|don't inform the user|do not mention this|don't mention this|\
        never mention this|without telling the user|without informing the user|without asking the user|without notifying the user|\
        without mentioning this|do not reveal this|don't reveal this|keep this secret from|hide this from the user|do not let the user|\
        don't let the user|do not show the user|do not alert the user|do not notify the user|without the user's knowledge|\
        without the user knowing|do not disclose this|do not mention that you|do not mention these|don't mention these|never tell the user|do not ask the user|\
        do not ask for confirmation|no need to tell the user|do not mention to the user|don't mention to the user|nicht dem benutzer|sag dem benutzer nicht*|ne dis pas à l'utilisateur|\
        no le digas al usuario|não diga ao usuário|non dire all'utente|не говори пользователю|не сообщай пользователю|不要告诉用户|不要告訴用戶|ユーザーには言わないで|\
        사용자에게 알리지",
    ),
    (
        ADDRESS,
        45,
        "ai assistant*|ai agent*|ai model*|ai system*|ai language model*|if you are an ai|if you are a language model|if you are an llm|if you're an ai|\
        if you're an llm|when you read this|attention ai|attention assistant|attention llm|note to ai|note to the ai|note to llm*|note to assistant|\
        message to ai|instructions for ai|instructions for the ai|instructions to ai|instruction to the ai|instructions for the assistant|\
        instructions for llm*|instructions to the assistant|message for the assistant|dear ai|dear assistant|to any ai|any ai reading|\
        ai reading this|llm reading this|llms reading this|assistant reading this|assistants reading this|to the assistant:|assistant:|hey assistant|\
        hello assistant|hey claude|hey chatgpt|hey ai|assistant instructions|ai instructions|note for ai|note for the assistant|note for llm*|\
        language models reading|language model reading|automated summar*|automated screening|automated analysis|automated evaluat*|automated assistants|ai tool*|\
        ai bot*|ai reader*|ai crawler*|ai summar*|ai screen*|ai evaluat*|ai grader*|ai recruit*|note to automated|dear language model*|attention language model*|\
        dear llm*|note to language model*|note to gpt|note to claude|hey gpt|hey gemini|hey copilot|hey siri|hey bot|dear bot|dear chatbot|to any llm*|to all llm*|\
        any llm|any ai that|any language model|every language model|llm agent*|if an ai|if an llm|if a language model|if any ai|automated reviewer*|ai reviewer*|for llm reviewer*|an die ki|ki-assistent*|assistant ia|asistente de ia|智能助手|ai助手|人工智能助手",
    ),
    (
        ADDRESS,
        25,
        "before using this tool|before calling this tool|before you use this tool|when using this tool|before any other tool|\
        before using any|when this tool is called|other tools are disabled",
    ),
    // Words around a mention.
    (
        TOPIC,
        0,
        "prompt injection*|mitigation*|prompt-injection*|promptinjection|prompt_injection|injection attack*|injection attempt*|jailbreak|jailbreaks|jailbreaking|jailbreak attempt*|adversarial|red team*|red-team*|\
        guardrail|owasp|llm01|llm security|ai security|ai safety|prompt leak*|prompt extraction|prompt hacking|attack vector*|attack payload*|\
        attacker|attackers|social engineering|indirect injection|injections|injected|prompt attack*|detector|security training|security team|\
        threat model*|classifier|提示注入|提示词注入|プロンプトインジェクション|промпт-инъекц*|промпт-инъекция|инъекци*|inyección|injeção|injektion*|프롬프트 인젝션|越狱",
    ),
    (
        FRAME,
        0,
        "example|examples|e.g.|e.g|eg.|for instance|such as|like|phrase|phrases|sentence|says|said|saying|called|entitled|titled|title|means|mean|meaning|\
        classify|detect|detects|detected|detection|flag|flags|block|blocks|blocked|pattern|patterns|regex|blocklist|blacklist|denylist|suspicious|keyword|keywords|\
        string|strings|wording|quoted|quote|quotes|contains|containing|translate|translation|grammar|assert|assert_eq|test|tests|rejects|\
        famous|known as|labelled|labeled|label|labels|message saying|wrote|wording|typed|texts like|input like|inputs like|is this|what does|zum beispiel|z.b.|bedeutet|bedeuten|übersetze|\
        satz|par exemple|signifie|phrase|por ejemplo|significa|frase|por exemplo|per esempio|например|означает|фраза|фразу|例如|比如|什么意思|例えば|意味|예를 들어",
    ),
    (
        REPORTED,
        0,
        "attacker|attackers|an adversary|adversaries|someone|somebody|hackers|hacker|people|users|users who|user who|user tries|malicious user*|try to|tries to|trying to|tried to|attempt to|attempts to|\
        attempting to|attempted to|telling it to|told it to|tells it to|ask it to|asks it to|asking it to|asking the model|asks the model|tell the model|tells the model|telling the model|\
        told the model|tricks|trick|tricked|tricking|instructs the|instruct the|instructing the|make the model|makes the model|cause the model|causes the model|get the model|gets the model|convince|persuade|\
        inputs that|prompts that|messages that|text that|texts that|documents that|detect|detects|prevent|prevents|protect against|defend against|resist|refuse to|refuses to|whether|\
        if a user|if the user|when a user|when users|if someone|designed to|meant to|could make|might make|can make|may make|make it|makes it|made it|getting it to|get it to|the model to|model to|models to|chatbot to|assistant to|bot to|llm to|were told|was told|been told|are told|is told|were ordered|were instructed|employees|\
        employee|the contractor|the team|students|they|he|she|teacher|drivers|how attackers|angreifer|attaquant*|atacante*|злоумышленник*|攻击者|攻擊者|攻撃者",
    ),
    (
        QUESTION,
        0,
        "what happens if|what happens when|what would happen|why do|why does|why would|why is|how does|how do|how can i|how to|how would|how should|is it possible|\
        should i|what if|does the model|do models|can a user|can users|what is the difference|was passiert wenn|was ist|qu'est-ce|¿qué es|qué es|o que é|cos'è|что такое|什么是|とは",
    ),
    (
        NOT,
        0,
        "not|don't|dont|never|cannot|can't|won't|without|didn't|doesn't|shouldn't|wouldn't|nicht|niemals|nie|jamais|nunca|não|mai|не|никогда|不要|不得|请勿|不能|ないで",
    ),
];
